import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { PATIENCE_MS } from '../../tests/support/patience.ts';
import { HttpServer } from './http-server.ts';

let server: HttpServer;
let port: number;

beforeEach(async () => {
  server = new HttpServer();
  port = (await server.listen('127.0.0.1', 0)).port;
});

afterEach(() => server.stop(0));

const head = (line: string, more = '') => `${line} HTTP/1.1\r\nhost: x\r\n${more}\r\n`;

/** The server has done all that was to be done before by then. */
const ask = async () => (await fetch(`http://127.0.0.1:${port}/`, { method: 'POST' })).text();

test('while requests wait hardly anything is read of the body of the last one, whose head came with them, and all of it when it is its turn', async () => {
  const { promise: arrived, resolve } = Promise.withResolvers<ServerResponse>();
  server.serve((request, response) => {
    if (request.url === '/1') resolve(response);
    else request.on('end', () => response.end(`answer ${request.url}.`)).resume();
  });
  const body = Buffer.alloc(64 * 1024 * 1024);
  const client = connect(port, '127.0.0.1');
  let text = '';
  client.setEncoding('utf8').on('data', (data: string) => {
    text += data;
  });
  client.write(head('GET /1') + head('GET /2') + head('POST /3', `content-length: ${body.length}\r\n`));
  const first = await arrived;
  const { socket } = first;
  await ask();
  client.write(body);
  let before: number;
  do {
    before = socket!.bytesRead;
    for (let i = 0; i < 20; i++) await ask();
  } while (socket!.bytesRead > before);
  expect(socket!.bytesRead).toBeLessThan(1024 * 1024);
  first.end();
  await vi.waitFor(() => expect(text).toContain('answer /3.'), PATIENCE_MS);
  client.destroy();
});

test('a connection on which nothing but an empty line comes after an answer is closed', async () => {
  server.serve((_request, response) => response.end('answer'));
  const client = connect(port, '127.0.0.1');
  client.write(head('GET /1'));
  const [answer] = await once(client, 'data');
  expect(String(answer)).toContain('200');
  const closed = once(client, 'close');
  client.write('\r\n');
  for (let i = 0; i < 10; i++) await ask();
  // One look sees it, and 70 see nothing more.
  for (let i = 0; i < 72; i++) server.lookAtClients();
  await closed;
});

test('a stop closes connections on which nothing but an empty line came, and cuts no answer that is being sent', async () => {
  const large = Buffer.alloc(64 * 1024 * 1024);
  server.serve((request, response) => response.end(request.method === 'GET' ? large : ''));
  const slow = connect(port, '127.0.0.1');
  let bytes = 0;
  slow.on('data', (chunk) => {
    bytes += chunk.length;
  });
  slow.write(head('GET /'));
  await once(slow, 'data');
  slow.pause();
  const empty = connect(port, '127.0.0.1').resume();
  empty.write('\r\n');
  await ask();
  const stopped = server.stop(600_000);
  await once(empty, 'close');
  slow.resume();
  await once(slow, 'close');
  expect(bytes).toBeGreaterThan(large.length);
  await stopped;
});
