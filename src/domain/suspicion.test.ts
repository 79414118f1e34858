import { expect, test } from 'vitest';
import { mayTry, STRIKES_OUT, TRIALS_PER_LANE, trialMs } from './suspicion.ts';

const fresh = { lane: 1, strikes: 0 };
const last = { lane: 1, strikes: STRIKES_OUT - 1 };

test('a lane tries a few deliveries at once, whatever other lanes try', () => {
  const others = Array(50).fill({ lane: 2, strikes: 1 });
  expect(mayTry(fresh, [...others, ...Array(TRIALS_PER_LANE - 1).fill(fresh)])).toBe(true);
  expect(mayTry(fresh, Array(TRIALS_PER_LANE).fill(fresh))).toBe(false);
});

test('of deliveries that one more crash would set aside, a process tries one at a time', () => {
  expect(mayTry(last, [fresh])).toBe(true);
  expect(mayTry(last, [{ ...last, lane: 2 }])).toBe(false);
  expect(mayTry({ ...last, strikes: STRIKES_OUT + 5 }, [{ ...last, lane: 2 }])).toBe(false);
  expect(mayTry(fresh, [last])).toBe(true);
});

test('the more crashes, the longer a worker must live on to clear a delivery: in the end for as long as a request may take', () => {
  const times = Array.from({ length: 20 }, (_, crashes) => trialMs(crashes));
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect([times[2], times.at(-1)]).toEqual([3_000, 30_000]);
});
