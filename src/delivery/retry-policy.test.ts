import fc from 'fast-check';
import { expect, test } from 'vitest';
import { defaultSchedule, nextDelayMs, parseRetryAfter } from './retry-policy.ts';

const NOW = Date.UTC(2026, 10, 23, 12, 0, 0);
const DAY_MS = 24 * 3_600_000;
const middle = () => 0.5;
const next = (step: number, retryAfter?: string, random = middle) =>
  nextDelayMs({ schedule: defaultSchedule, step, random, retryAfter, nowMs: NOW });

test('the default schedule is 0, 5 s, 5 m, 30 m, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h, then nothing', () => {
  expect(defaultSchedule[0]).toBe(0);
  const seconds = defaultSchedule.map((_, step) => next(step)).map((ms) => (ms === null ? null : ms / 1000));
  expect(seconds).toEqual([5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400, null]);
});

test('a delay is spread by at most 20 % either way', () => {
  expect(next(1, undefined, () => 0)).toBe(240_000);
  expect(next(1, undefined, () => 0.999999999)).toBe(360_000);
});

test('the schedule of an endpoint decides, and a step past its end is the end', () => {
  const context = { schedule: [0, 1000], random: middle, nowMs: NOW };
  expect(nextDelayMs({ ...context, step: 0 })).toBe(1000);
  expect(nextDelayMs({ ...context, step: 1 })).toBeNull();
  expect(nextDelayMs({ ...context, step: 7, retryAfter: '60' })).toBeNull();
  expect(nextDelayMs({ ...context, schedule: [], step: 0 })).toBeNull();
});

test.each([
  ['120', 120_000],
  ['0', 0],
  ['99999999', 99_999_999_000],
  ['-1', null],
  ['1.5', null],
  ['+5', null],
  ['1e3', null],
  ['0x10', null],
  ['', null],
  ['soon', null],
  ['5 seconds', null],
  ['9'.repeat(40), null],
  ['Mon, 23 Nov 2026 12:01:00 GMT', 60_000],
  ['Mon, 23 Nov 2026 11:00:00 GMT', 0],
  ['Monday, 23-Nov-26 12:01:00 GMT', 60_000],
  ['Mon Nov 23 12:01:00 2026', 60_000],
  ['Mon, 23 Foo 2026 12:01:00 GMT', null],
  ['2026-11-23T12:01:00Z', null],
  ['5, 10', 10_000],
  ['garbage, 10', 10_000],
  ['Mon, 23 Nov 2026 12:01:00 GMT, 90', 90_000],
  ['90, Monday, 23-Nov-26 12:02:00 GMT', 120_000],
])('Retry-After: %s asks for %s ms', (header, ms) => {
  expect(parseRetryAfter(header, NOW)).toBe(ms);
});

test('Retry-After puts an attempt off, and never brings it forward', () => {
  expect(next(0, '60', () => 0)).toBe(60_000);
  expect(next(1, '1', () => 0)).toBe(240_000);
  expect(next(0, 'garbage')).toBe(5_000);
});

test('no delivery comes back before its receiver asked for, near the delay of the schedule either', () => {
  for (const [asked, r, expected] of [
    ['5', 0, 5_000],
    ['5', 0.5, 5_500],
    ['4', 0, 4_000],
    ['3', 0, 4_000],
    ['5', 0.999999999, 6_000],
  ] as const)
    expect(next(0, asked, () => r)).toBe(expected);
});

test('Retry-After is clamped to 24 h, or twice the delay of the schedule where that is longer', () => {
  expect(next(0, '99999999', () => 0)).toBe(DAY_MS);
  expect(next(8, '99999999', () => 0)).toBe(2 * DAY_MS);
});

test('a Retry-After of exactly the clamp is honoured as one below it is', () => {
  for (const asked of ['86399', '86400', '86401', '99999999', 'Tue, 24 Nov 2026 12:00:00 GMT'])
    for (const r of [0, 0.5, 0.999999999])
      expect(next(0, asked, () => r)).toBeGreaterThanOrEqual(Math.min(DAY_MS, parseRetryAfter(asked, NOW)!));
  expect(next(0, '86400', () => 0.5)).toBe(Math.round(1.1 * DAY_MS));
});

test('deliveries that are told to wait beyond the clamp do not all come back at it, and none before it', () => {
  expect(next(0, '99999999', () => 0.5)).toBe(Math.round(1.1 * DAY_MS));
});

test('whatever a receiver asks, the delay is the jittered one of the schedule or, up to the clamp, what was asked for and some more', () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.nat(),
      fc.integer({ min: 0, max: 8 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (text, seconds, step, r) => {
        for (const header of [text, String(seconds)]) {
          const delay = next(step, header, () => r)!;
          const base = defaultSchedule[step + 1]!;
          const asked = Math.min(parseRetryAfter(header, NOW) ?? 0, Math.max(2 * base, DAY_MS));
          expect(delay).toBeGreaterThanOrEqual(Math.max(asked, Math.floor(base * 0.8)));
          expect(delay).toBeLessThanOrEqual(Math.ceil(Math.max(asked, base) * 1.2));
        }
      },
    ),
  );
});
