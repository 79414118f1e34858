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
