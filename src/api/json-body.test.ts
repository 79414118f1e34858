import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type ErrorRequestHandler } from 'express';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Refusal } from '../domain/errors.ts';
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

test('a name that is given twice is refused with its path, and not in what a producer sends', () => {
  const faultsOf = (text: string) => {
    try {
      return parseBodyText(text);
    } catch (error) {
      return (error as Refusal).faults;
    }
  };
  const twice = (path: string) => [{ path, message: 'given more than once' }];
  expect(faultsOf('{"url":"a","url":"b"}')).toEqual(twice('url'));
  expect(faultsOf('{"subscriptions":[{},{"filter":{"data":{"a":[1]},"data":{"b":[1]}}}]}')).toEqual(
    twice('subscriptions.1.filter.data'),
  );
  expect(faultsOf('{"data":{"a":1,"a":2},"event":{"type":"a","type":"b"}}')).toEqual({
    data: { a: 2 },
    event: { type: 'b' },
  });
  expect(
    faultsOf(
      `{${Array(200)
        .fill('"a":1')
        .map((member, i) => `${member},"${i}":1,"${i}":2`)
        .join()}}`,
    ),
  ).toHaveLength(100);
});
