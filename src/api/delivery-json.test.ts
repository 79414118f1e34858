import { expect, test } from 'vitest';
import type { StoredAttempt } from '../store/attempt-reads.ts';
import { attemptJson } from './delivery-json.ts';

const attempt = (responseBody: Buffer): StoredAttempt => ({
  number: 1,
  startedAt: new Date(0),
  outcome: 'delivered',
  decision: 1,
  status: 200,
  detail: null,
  responseHeaders: {},
  responseBody,
  dnsMs: null,
  connectMs: null,
  firstByteMs: 1,
  totalMs: 2,
  nextAttemptAt: null,
});

test.each([
  ['text', Buffer.from('h€llo'), 'h€llo', 'utf-8'],
  ['nothing', Buffer.alloc(0), '', 'utf-8'],
  ['bytes that are not UTF-8', Buffer.from([0x61, 0xff]), 'Yf8=', 'base64'],
  ['a short body that ends within a character', Buffer.from([0x61, 0xe2, 0x82]), 'YeKC', 'base64'],
])('a response body of %s is shown so that its bytes can be told', (_, body, text, encoding) => {
  expect(attemptJson(attempt(body)).response).toEqual({ headers: {}, body: text, body_encoding: encoding });
});

test('text that was cut in the middle of a character at 16 KiB is still text', () => {
  const cut = Buffer.from(`${'a'.repeat(16 * 1024 - 2)}€`).subarray(0, 16 * 1024);
  expect(attemptJson(attempt(cut)).response).toEqual({
    headers: {},
    body: 'a'.repeat(16 * 1024 - 2),
    body_encoding: 'utf-8',
  });
  const binary = Buffer.concat([Buffer.alloc(16 * 1024 - 1, 0x61), Buffer.from([0xff])]);
  expect(attemptJson(attempt(binary)).response?.body_encoding).toBe('base64');
});
