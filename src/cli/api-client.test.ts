import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { apiClient, storedOf } from './api-client.ts';

type Answering = (response: ServerResponse) => void;

/** An API that gives these answers in turn, and keeps what it was sent, and when. */
async function api(answers: readonly Answering[]) {
  const calls: { readonly atMs: number; readonly text: string }[] = [];
  const server = createServer(async (request: IncomingMessage, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    calls.push({ atMs: performance.now(), text: Buffer.concat(chunks).toString() });
    answers[calls.length - 1]!(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = apiClient((server.address() as AddressInfo).port, 'key', 1);
  onTestFinished(async () => {
    client.close();
    await new Promise((resolve) => server.close(resolve));
  });
  return { call: client.call, calls };
}

const status =
  (code: number, headers = {}, body = {}): Answering =>
  (response) =>
    response.writeHead(code, headers).end(JSON.stringify(body));

test('a post that is told to come again comes again, the same, and not before it was told to', async () => {
  const { call, calls } = await api([
    status(503, { 'retry-after': '1' }),
    status(429),
    status(202, {}, { accepted: 1, duplicates: 2 }),
  ]);
  const answer = await call('POST', '/v1/events', [{ id: 'a' }]);
  expect(calls.map(({ text }) => text)).toEqual(Array(3).fill('[{"id":"a"}]'));
  expect(calls[1]!.atMs - calls[0]!.atMs).toBeGreaterThan(990);
  // What the first post had stored although it was answered 503 is no loss.
  expect(storedOf(answer)).toBe(3);
});

test('any other refusal is an error that says what was answered', async () => {
  const { call } = await api([status(422, {}, { code: 'invalid' })]);
  await expect(call('POST', '/v1/events', [])).rejects.toThrow('POST /v1/events answered 422: {"code":"invalid"}');
});
