import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import { afterEach, expect, test } from 'vitest';
import { readJsonBody, refuseBody } from './json-body.ts';
import { readBytes } from './read-bytes.ts';

let server: Server;

afterEach(() => new Promise((resolve) => server.close(resolve)));

/** How the client leaves, and as what the server sees it. */
type Leave = readonly [act: (socket: Socket) => void, seen: 'end' | 'close'];

/** What becomes of a call whose client leaves while its key is looked up. */
async function afterLook(read: RequestHandler, text: string, [leave, seen]: Leave): Promise<string> {
  const asked = Promise.withResolvers<void>();
  const told = Promise.withResolvers<string>();
  const lookUp: RequestHandler = (request, _response, next) => {
    request.socket.once(seen, () => next());
    asked.resolve();
  };
  const call: RequestHandler = (request, response) => {
    told.resolve(`called with ${JSON.stringify(request.body)}`);
    response.end();
  };
  const refuse: ErrorRequestHandler = (error, _request, response, _next) => {
    told.resolve(error.code);
    response.end();
  };
  server = express().post('/', lookUp, read, call, refuse).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${text}`);
  await asked.promise;
  leave(socket);
  return told.promise;
}

const reset: Leave = [(socket) => socket.resetAndDestroy(), 'close'];
const finish: Leave = [(socket) => socket.end(), 'close'];
const justFinish: Leave = [(socket) => socket.end(), 'end'];
const WHOLE = 'content-length: 7\r\n\r\n{"a":1}';
const HEAD = 'content-length: 7\r\n\r\n';
const CHUNKED = 'transfer-encoding: chunked\r\n\r\n';

test.each([
  ['the bytes', 'a FIN after all of the body', readBytes(100), WHOLE, finish],
  ['the bytes', 'a reset after the head', readBytes(100), HEAD, reset],
  ['the bytes', 'a reset before the first chunk', readBytes(100), CHUNKED, reset],
  ['the bytes', 'a FIN behind the last chunk', readBytes(100), `${CHUNKED}1\r\n1\r\n0\r\n\r\n`, finish],
  ['the JSON', 'a FIN after all of the body', readJsonBody(), WHOLE, finish],
  ['the JSON', 'a reset after the head', readJsonBody(), HEAD, reset],
  ['the JSON', 'a reset before the first chunk', readJsonBody(), CHUNKED, reset],
  ['no body', 'a reset before the first chunk', refuseBody(), CHUNKED, reset],
])(
  'a call that takes %s is not made without it when its client left before it was read: %s',
  async (_what, _how, read, text, leave) => {
    expect(await afterLook(read, text, leave)).toBe('incomplete_body');
  },
);

test.each([
  ['a length', WHOLE],
  ['chunks', `${CHUNKED}7\r\n{"a":1}\r\n0\r\n\r\n`],
])(
  'a call whose body has come in full is made with all of it where its client has said only that it says no more: %s',
  async (_how, text) => {
    expect(await afterLook(readJsonBody(), text, justFinish)).toBe('called with "{\\"a\\":1}"');
  },
);

test('a call without a body is made, whether its client waits for the answer or not', async () => {
  expect(await afterLook(readJsonBody(), '\r\n', finish)).toBe('called with ""');
});
