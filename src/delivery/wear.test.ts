import { expect, test } from 'vitest';
import { isWornOut, restoreWear, type Wear, wearAfterFailure } from './wear.ts';

const START = Date.UTC(2026, 10, 26, 12);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** What is held against an endpoint that failed once, and then after each of these times. */
function failingAfter(gapsMs: readonly number[], first = wearAfterFailure(null, START)): Wear {
  return gapsMs.reduce((wear, gapMs) => wearAfterFailure(wear, wear.lastFailedMs + gapMs), first);
}

test('an endpoint that is tried every 30 hours at the least and only fails is worn out after five days', () => {
  const gaps = [30, 30, 30].map((hours) => hours * HOUR_MS);
  expect(isWornOut(failingAfter([...gaps, 30 * HOUR_MS - 1]))).toBe(false);
  expect(failingAfter([...gaps, 30 * HOUR_MS])).toEqual({
    failingSinceMs: START,
    lastFailedMs: START + 5 * DAY_MS,
  });
  expect(isWornOut(failingAfter([...gaps, 30 * HOUR_MS]))).toBe(true);
});

test('of a pause 30 hours count, however long it was', () => {
  const paused = failingAfter([1_000, 400 * DAY_MS]);
  expect(paused.lastFailedMs - paused.failingSinceMs).toBe(1_000 + 30 * HOUR_MS);
  expect(isWornOut(failingAfter([6 * DAY_MS, 6 * DAY_MS, 6 * DAY_MS]))).toBe(false);
  expect(isWornOut(failingAfter([6 * DAY_MS, 6 * DAY_MS, 6 * DAY_MS, 6 * DAY_MS]))).toBe(true);
});

test('a clock that is set back is no pause, and nothing is counted twice', () => {
  expect(failingAfter([HOUR_MS, -HOUR_MS, HOUR_MS])).toEqual({ failingSinceMs: START, lastFailedMs: START + HOUR_MS });
});

test('a clock that leapt ahead and is right again puts nothing off by its leap', () => {
  const failing = failingAfter([HOUR_MS, 40 * DAY_MS, -40 * DAY_MS]);
  expect(failing).toEqual({ failingSinceMs: START + HOUR_MS, lastFailedMs: START + HOUR_MS });
});

test('what an earlier version kept has no last failure: at the most 30 hours of it count', () => {
  const kept = restoreWear({ failingSinceMs: START });
  expect(kept).toEqual({ failingSinceMs: START, lastFailedMs: START });
  expect(isWornOut(wearAfterFailure(kept, START + 6 * DAY_MS))).toBe(false);
});

test('nothing is held against an endpoint of which nothing is kept, and what is kept is what it was', () => {
  expect([restoreWear(null), restoreWear({ failingSinceMs: null, lastFailedMs: null })]).toEqual([null, null]);
  const wear = failingAfter([HOUR_MS, 6 * DAY_MS]);
  expect(restoreWear(JSON.parse(JSON.stringify(wear)))).toEqual(wear);
});
