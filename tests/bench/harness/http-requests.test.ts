import fc from 'fast-check';
import { expect, test } from 'vitest';
import { headerValue, requestCutter, type SinkRequest } from './http-requests.ts';

const text = (endpoint: number, id: string, body: string) =>
  `POST /${endpoint} HTTP/1.1\r\nhost: 127.0.0.1:1\r\nconnection: keep-alive\r\nwebhook-id: ${id}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

test('however the bytes are cut up on their way, the same requests come out', () => {
  const stream = Buffer.from(text(7, 'r-1', '{"a":1}') + text(0, 'r-2', '') + text(123, 'r-3', 'é\r\n\r\n'));
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: stream.length }), { maxLength: 12 }), (cuts) => {
      const seen: SinkRequest[] = [];
      const take = requestCutter((request) => seen.push({ ...request, body: Buffer.from(request.body) }));
      const edges = [0, ...cuts.sort((a, b) => a - b), stream.length];
      for (let i = 1; i < edges.length; i++) take(stream.subarray(edges[i - 1], edges[i]));
      expect(seen.map(({ endpoint, webhookId, body }) => [endpoint, webhookId, body.toString()])).toEqual([
        [7, 'r-1', '{"a":1}'],
        [0, 'r-2', ''],
        [123, 'r-3', 'é\r\n\r\n'],
      ]);
    }),
  );
});

test('the value of a header is found by its whole name', () => {
  const head = 'POST / HTTP/1.1\r\nx-webhook-id: no\r\nwebhook-id: yes';
  expect(headerValue(head, 'webhook-id')).toBe('yes');
  expect(headerValue(head, 'webhook')).toBeNull();
});

test('a request that does not say its length is refused', () => {
  const take = requestCutter(() => {});
  expect(() => take(Buffer.from('POST /1 HTTP/1.1\r\nwebhook-id: a\r\n\r\n'))).toThrow('content-length');
});
