import type pg from 'pg';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Clock } from './clock.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: 1_000_000 });
});

afterEach(() => {
  vi.useRealTimers();
});

/** A Postgres that answers after `roundTripMs`, halfway of which it looks at its clock. */
function poolOf(serverMs: number, roundTripMs: number): pg.Pool {
  const query = async () => {
    vi.setSystemTime(Date.now() + roundTripMs);
    return { rows: [{ ms: serverMs + roundTripMs / 2 }] };
  };
  return { query } as unknown as pg.Pool;
}

test('after a look at Postgres the clock tells the time of Postgres, whatever the time of the host', async () => {
  const clock = new Clock();
  expect(clock.nowMs()).toBe(1_000_000);
  await clock.calibrate(poolOf(5_000_000, 100));
  expect(clock.nowMs()).toBe(5_000_100);
  vi.setSystemTime(Date.now() + 700);
  expect(clock.nowMs()).toBe(5_000_800);
});

test.each([
  ['took too long', 2_001],
  ['saw the clock of the host step back', -50],
])('a look that %s is not believed', async (_why, roundTripMs) => {
  const clock = new Clock();
  await clock.calibrate(poolOf(5_000_000, roundTripMs));
  expect(clock.nowMs()).toBe(1_000_000 + roundTripMs);
});
