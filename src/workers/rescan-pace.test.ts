import { expect, onTestFinished, test, vi } from 'vitest';
import { START } from '../store/mailbox.ts';
import { RescanPace } from './rescan-pace.ts';

const fromStart = [{ lane: 0, after: START, limit: 10 }];
const fromCursor = [{ lane: 0, after: { ...START, dueAtMs: 1 }, limit: 10 }];

/** At `now` a fetch that took so long has ended. */
function ended(pace: RescanPace, fetches: typeof fromCursor, now: number, tookMs: number): void {
  vi.spyOn(performance, 'now').mockReturnValue(now);
  onTestFinished(() => void vi.restoreAllMocks());
  pace.note(fetches, now - tookMs);
}

test('reads from the start that take little longer than others are free, and so is whatever goes on from a cursor', () => {
  const pace = new RescanPace();
  ended(pace, fromStart, 1_000, 20);
  ended(pace, fromCursor, 1_000, 900);
  ended(pace, fromStart, 2_000, 920);
  expect(pace.mayBegin(2_000)).toBe(true);
});

test('of the time no more than a twentieth goes to reads from the start that take long', () => {
  const pace = new RescanPace();
  ended(pace, fromStart, 1_000, 400);
  expect([pace.mayBegin(8_999), pace.mayBegin(9_000)]).toEqual([false, true]);
  ended(pace, fromStart, 20_000, 9_000);
  expect([pace.mayBegin(79_999), pace.mayBegin(80_000)]).toEqual([false, true]);
});
