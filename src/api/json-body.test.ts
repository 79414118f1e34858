import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type ErrorRequestHandler } from 'express';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bodyTextOf, parseBodyText, readJsonBody } from './json-body.ts';

let server: Server;

beforeAll(async () => {
  const refuse: ErrorRequestHandler = (error, _request, response, _next) =>
    void response.json({ refused: error.message });
  const app = express().post('/', readJsonBody(), (request, response) => {
    response.json({ read: parseBodyText(bodyTextOf(request)) });
  });
  server = app.use(refuse).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

async function send(body: Buffer): Promise<unknown> {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const sent = { method: 'POST', body: new Uint8Array(body), headers: { 'content-type': 'application/json' } };
  return (await fetch(url, sent)).json();
}

test.each(['{"a":"\ufffd"}', '{"a":"\\ufffd"}', '\ufeff{"a":"\ufffd"}'])(
  'U+FFFD is a character like any other: %s',
  async (text) => {
    expect(await send(Buffer.from(text))).toEqual({ read: { a: '\ufffd' } });
  },
);

test.each([
  ['a byte that begins nothing', [0xff]],
  ['half a character', [0xe2, 0x82]],
  ['half a surrogate pair', [0xed, 0xa0, 0x80]],
  ['a character in more bytes than it takes', [0xc0, 0xaf]],
])('what is no UTF-8 is refused, beside a good U+FFFD too: %s', async (_, bytes) => {
  const body = Buffer.concat([Buffer.from('{"a":"\ufffd'), Buffer.from(bytes), Buffer.from('"}')]);
  expect(await send(body)).toEqual({ refused: 'The request body is not valid UTF-8.' });
});
