import { type Cursor, START } from '../store/mailbox.ts';

/** The place before every row that was due this long before the given time, or later. */
export function ago(clockMs: number, ms: number): Cursor {
  return { ...START, dueAtMs: Math.max(0, clockMs - ms) };
}

/** Whether one place is before the other by its due time: places of the same due time are not told apart. */
export function isBefore(one: Cursor, other: Cursor): boolean {
  return one.dueAtMs < other.dueAtMs;
}

/** The place that is before the other; the first where neither is. */
export function earlier(one: Cursor, other: Cursor): Cursor {
  return isBefore(other, one) ? other : one;
}
