import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NoAnswerError, PosthornError } from './errors.ts';
import { mayRetry, parseRetryAfter, retryDelayMs } from './retry-policy.ts';

const problem = (status: number, code?: string) => new PosthornError({ status, code });

test.each([
  ['429 of a limit', problem(429, 'rate_limited'), true, true],
  ['429 of a proxy', problem(429), true, true],
  ['503 that did nothing', problem(503, 'overloaded'), true, true],
  ['503 that may have done it', problem(503, 'unavailable'), true, false],
  ['503 of a proxy', problem(503), true, false],
  ['502 of a proxy', problem(502), true, false],
  ['a request that did not come whole', problem(408, 'request_timeout'), true, true],
  ['a conflict of the moment', problem(409, 'conflict'), true, true],
  ['a conflict that stays', problem(409, 'idempotency_conflict'), false, false],
  ['fields at fault', problem(422, 'invalid'), false, false],
  ['no key', problem(401, 'unauthorized'), false, false],
  ['a fault of the server', problem(500, 'internal'), true, false],
  ['500 of a proxy', problem(500), true, false],
  ['a fault that stays', problem(500, 'secret_unreadable'), false, false],
  ['a connection that was cut', new NoAnswerError('', true), true, false],
  ['a connection that was refused', new NoAnswerError('', false), true, true],
])('%s is tried again only where that may help and does no harm', (_, failure, repeatable, other) => {
  expect([mayRetry(failure, true), mayRetry(failure, false)]).toEqual([repeatable, other]);
});

test('no try comes before the server wants it, and none is put off for ever', () => {
  const tries = fc.integer({ min: 1, max: 1_000 });
  const retryAfter = fc.option(fc.integer({ min: 0, max: 1e9 }));
  fc.assert(
    fc.property(tries, retryAfter, fc.double({ min: 0, max: 0.999, noNaN: true }), (count, afterMs, random) => {
      const delay = retryDelayMs(count, afterMs, random) - (afterMs ?? 0);
      expect(delay).toBeGreaterThanOrEqual(0);
      expect(delay).toBeLessThan(Math.min(15_000, 250 * 2 ** (count - 1)));
    }),
  );
});

test('Retry-After is seconds or a date', () => {
  const now = Date.parse('2026-11-29T08:00:00Z');
  const texts = ['7', '0', 'Sun, 29 Nov 2026 08:00:30 GMT', 'Sun, 29 Nov 2026 07:00:00 GMT', 'soon', '-1', '1.5', null];
  expect(texts.map((text) => parseRetryAfter(text, now))).toEqual([7_000, 0, 30_000, 0, null, null, null, null]);
});
