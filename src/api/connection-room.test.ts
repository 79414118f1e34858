import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { PATIENCE_MS } from '../../tests/support/patience.ts';
import { HttpServer } from './http-server.ts';

const MAX = 8;
let server: HttpServer;
let port: number;
let arrived: ServerResponse[];
let clients: Socket[];

beforeEach(async () => {
  server = new HttpServer(MAX);
  port = (await server.listen('127.0.0.1', 0)).port;
  arrived = [];
  clients = [];
  server.serve((request, response) => {
    if (request.url === '/held') arrived.push(response);
    else response.end('x');
  });
});

afterEach(async () => {
  for (const client of clients) client.destroy();
  await server.stop(0);
});

/** A connection that has said `text`. */
function open(text: string): Socket {
  const client = connect(port, '127.0.0.1').resume();
  client.on('error', () => {});
  client.write(text);
  clients.push(client);
  return client;
}

const UNFINISHED = `GET / HTTP/1.1\r\nhost: x\r\nx-a: ${'a'.repeat(15_000)}`;
const HELD = 'GET /held HTTP/1.1\r\nhost: x\r\n\r\n';
const ask = async () => (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).status;

test('whoever holds many connections open takes no more than there is room for, and shuts nobody out', async () => {
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
