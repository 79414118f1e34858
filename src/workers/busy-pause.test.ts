import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BusyPause } from './busy-pause.ts';

beforeEach(() => vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => vi.useRealTimers());

/** A process whose event loop was busy for that share of the time since the last reading. */
function pauseAt(shares: readonly number[]) {
  let reading = 0;
  const pause = new BusyPause((current) => ({ idle: 0, active: 0, utilization: current ? shares[reading++]! : 0 }));
  return () => {
    vi.advanceTimersByTime(100);
    return pause.ms;
  };
}

test('a process that waits for most of its time reads at once, one that never waits after the longest pause', () => {
  const next = pauseAt([0, 0.5, 0.8, 0.9, 1, 0.2]);
  const pauses = Array.from({ length: 6 }, next);
  expect(pauses.map(Math.round)).toEqual([0, 0, 0, 13, 25, 0]);
});

test('the event loop is looked at ten times a second, however often the pause is asked for', () => {
  let readings = 0;
  const pause = new BusyPause((current) => {
    if (current !== undefined) readings++;
    return { idle: 0, active: 0, utilization: 1 };
  });
  for (let ms = 0; ms < 1_000; ms++) {
    vi.advanceTimersByTime(1);
    expect(pause.ms).toBeLessThanOrEqual(25);
  }
  expect(readings).toBe(10);
});
