import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { PATIENCE_MS } from '../../tests/support/patience.ts';
import { HttpServer } from './http-server.ts';

const MAX = 8;
const LARGE = 'a'.repeat(1024 * 1024);
let server: HttpServer;
let port: number;
let arrived: ServerResponse[];
let uploads: number;
let clients: Socket[];
/** On which a request has come, as the server has them. */
let sockets: Set<Socket>;

beforeEach(async () => {
  server = new HttpServer(MAX);
  port = (await server.listen('127.0.0.1', 0)).port;
  arrived = [];
  uploads = 0;
  clients = [];
  sockets = new Set();
  server.serve((request, response) => {
    if (request.url === '/held') arrived.push(response);
    else if (request.url === '/large') response.end(LARGE);
    else if (request.method === 'POST') {
      uploads++;
      request.on('end', () => response.end('x')).resume();
    } else response.end('x');
    sockets.add(request.socket);
  });
});

afterEach(async () => {
  for (const client of clients) client.destroy();
  await server.stop(0);
});

/** A connection that has said `text`. */
function open(text: string, reads = true): Socket {
  const client = connect(port, '127.0.0.1');
  if (reads) client.resume();
  client.on('error', () => {});
  client.write(text);
  clients.push(client);
  return client;
}

const UNFINISHED = `GET / HTTP/1.1\r\nhost: x\r\nx-a: ${'a'.repeat(15_000)}`;
const HELD = 'GET /held HTTP/1.1\r\nhost: x\r\n\r\n';
const ask = async () => (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).status;

test('whoever holds many connections open with heads that do not end takes no more than there is room for, and shuts nobody out', async () => {
  const held = open(HELD);
  await vi.waitFor(() => expect(arrived).toHaveLength(1), PATIENCE_MS);
  for (let i = 0; i < 5 * MAX; i++) open(UNFINISHED);
  await vi.waitFor(() => expect(server.connections.cut).toBe(4 * MAX + 1), PATIENCE_MS);
  await vi.waitFor(() => expect(server.connections.open).toBe(MAX), PATIENCE_MS);
  for (let i = 0; i < 3; i++) expect(await ask()).toBe(200);
  // What is under way goes on.
  expect(held.closed).toBe(false);
  let text = '';
  held.on('data', (data) => {
    text += data;
  });
  arrived[0]!.end('done');
  await vi.waitFor(() => expect(text).toContain('done'), PATIENCE_MS);
});

test('where every connection is at work a new one is closed, and none of those', async () => {
  for (let i = 0; i < MAX; i++) open(HELD);
  await vi.waitFor(() => expect(arrived).toHaveLength(MAX), PATIENCE_MS);
  const late = open(HELD);
  await once(late, 'close');
  expect([server.connections.cut, arrived.length, clients.filter((client) => client.closed)]).toEqual([1, MAX, [late]]);
  arrived[0]!.end();
  await vi.waitFor(async () => expect(await ask()).toBe(200), PATIENCE_MS);
});

const UNREAD = 'GET /large HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(33);
const UNSENT = 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n';

test.each([
  ['asks for answers and reads none', UNREAD],
  ['sends no bodies', UNSENT],
])(
  'whoever %s on all connections that there are shuts nobody out, and stops no request that is worked at',
  async (_what, text) => {
    const held = open(HELD);
    await vi.waitFor(() => expect(arrived).toHaveLength(1), PATIENCE_MS);
    for (let i = 1; i < MAX; i++) open(text, false);
    await vi.waitFor(() => expect(sockets.size).toBe(MAX), PATIENCE_MS);
    for (let look = 0; look < 2; look++) server.lookAtClients();
    for (let i = 0; i < 3; i++) {
      expect(await ask()).toBe(200);
      open('', false);
      await vi.waitFor(() => expect(server.connections.open).toBe(MAX), PATIENCE_MS);
    }
    expect(held.closed).toBe(false);
  },
);

const DRIPPED = 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 60\r\n\r\n';

test('whoever sends bodies byte by byte on all connections that there are shuts nobody out, and of requests whose bodies are to come the last one stays', async () => {
  const held = open(HELD);
  await vi.waitFor(() => expect(arrived).toHaveLength(1), PATIENCE_MS);
  for (let i = 1; i < MAX; i++) open(DRIPPED);
  await vi.waitFor(() => expect(sockets.size).toBe(MAX), PATIENCE_MS);
  const drip = async () => {
    const read = () => [...sockets].reduce((sum, { bytesRead }) => sum + bytesRead, 0);
    const until = read() + clients.filter((client) => client !== held && !client.closed && client.write('x')).length;
    await vi.waitFor(() => expect(read()).toBe(until), PATIENCE_MS);
  };
  await drip();
  server.lookAtClients();
  await drip();
  server.lookAtClients();
  await drip();
  // The first of them comes to its end, and its connection is used once more.
  const late = clients[1]!;
  late.write('x'.repeat(57) + DRIPPED);
  await vi.waitFor(() => expect(uploads).toBe(MAX), PATIENCE_MS);
  expect(await ask()).toBe(200);
  for (let i = 2; i < MAX; i++) {
    open(HELD);
    await vi.waitFor(() => expect(arrived).toHaveLength(i), PATIENCE_MS);
  }
  expect(server.connections.cut).toBe(MAX - 2);
  expect([held.closed, late.closed]).toEqual([false, false]);
});

test('a request whose body nobody has begun to read is worked for: its client waits for us', async () => {
  const unread = open('POST /held HTTP/1.1\r\nhost: x\r\ncontent-length: 60\r\n\r\nx');
  await vi.waitFor(() => expect(arrived).toHaveLength(1), PATIENCE_MS);
  for (let i = 1; i < MAX; i++) open(DRIPPED);
  await vi.waitFor(() => expect(sockets.size).toBe(MAX), PATIENCE_MS);
  expect(await ask()).toBe(200);
  expect([server.connections.cut, unread.closed]).toEqual([1, false]);
});

test('a connection whose client reads nothing of its answer is closed, and one whose client reads slowly is not', async () => {
  const huge = Buffer.alloc(64 * 1024 * 1024);
  server.serve((request, response) => {
    sockets.add(request.socket);
    response.end(huge);
  });
  const slow = open('GET / HTTP/1.1\r\nhost: x\r\n\r\n', false);
  const deaf = open('GET / HTTP/1.1\r\nhost: x\r\n\r\n', false);
  await vi.waitFor(() => expect(sockets.size).toBe(2), PATIENCE_MS);
  // As much between two looks as leaves no ten of them without progress, whatever the buffers of the system hold.
  for (let read = 0; read < 20; read++) {
    const until = slow.bytesRead + 1024 * 1024;
    slow.resume();
    await vi.waitFor(() => expect(slow.bytesRead).toBeGreaterThan(until), { timeout: PATIENCE_MS, interval: 1 });
    slow.pause();
    server.lookAtClients();
  }
  await vi.waitFor(() => expect([...sockets].filter((socket) => socket.destroyed)).toHaveLength(1), PATIENCE_MS);
  deaf.resume();
  await once(deaf, 'close');
  slow.resume();
  await vi.waitFor(() => expect(slow.bytesRead).toBeGreaterThanOrEqual(huge.length), PATIENCE_MS);
});
