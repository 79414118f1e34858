import type pg from 'pg';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Clock } from './clock.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout'], now: 1_000_000 });
});

afterEach(() => {
  vi.useRealTimers();
});

/** A Postgres that answers after `roundTripMs`, halfway of which it looks at its clock. */
function poolOf(serverMs: number, roundTripMs: number): pg.Pool {
  const query = async () => {
    vi.advanceTimersByTime(roundTripMs);
    return { rows: [{ ms: serverMs + roundTripMs / 2 }] };
  };
  return { query } as unknown as pg.Pool;
}

test('after a look at Postgres the clock tells the time of Postgres', async () => {
  const clock = new Clock();
  expect(clock.nowMs()).toBe(1_000_000);
  await clock.calibrate(poolOf(5_000_000, 100));
  expect(clock.nowMs()).toBe(5_000_100);
  vi.advanceTimersByTime(700);
  expect(clock.nowMs()).toBe(5_000_800);
});

test('it says by how much it is ahead of the host’s', async () => {
  const clock = new Clock();
  expect(clock.aheadOfHostMs).toBe(0);
  await clock.calibrate(poolOf(1_090_000, 100));
  expect(clock.aheadOfHostMs).toBe(90_000);
  vi.setSystemTime(1_290_000);
  expect(clock.aheadOfHostMs).toBe(-199_900);
});

test('a host clock that jumps moves nothing', async () => {
  const clock = new Clock();
  await clock.calibrate(poolOf(5_000_000, 100));
  vi.setSystemTime(9_000_000);
  expect(clock.nowMs()).toBe(5_000_100);
});

test('an answer that was long on its way is not believed beside a better one', async () => {
  const clock = new Clock();
  await clock.calibrate(poolOf(5_000_000, 100));
  await clock.calibrate(poolOf(7_000_000, 2_001));
  expect(clock.nowMs()).toBe(5_002_101);
});

test('the first answer is believed however long it was on its way: the host may be wrong by days', async () => {
  const clock = new Clock();
  await clock.calibrate(poolOf(500_000_000, 2_001));
  expect(clock.nowMs()).toBe(500_002_001);
  await clock.calibrate(poolOf(500_003_000, 100));
  expect(clock.nowMs()).toBe(500_003_100);
});
