import { uuidFloor, uuidTime } from '../domain/ids.ts';
import { startOfDay } from './partitions.ts';

const DAY_MS = 86_400_000;

export interface LogDay<T> {
  /** The day's partition holds events from this UUID on … */
  readonly from: string;
  /** … and before this one. */
  readonly to: string;
  readonly rows: readonly T[];
}

/**
 * Rows of the log by their day. A statement that changes the log plans and locks every day of it, unless it says between which constants
 * the events are: so a day that is being moved or dropped would hold up what is written to others. To be given as parameters of an unnamed
 * statement, which is planned by their values, and said of each alias of the table.
 */
export function byLogDay<T extends { readonly eventUuid: string }>(rows: readonly T[]): readonly LogDay<T>[] {
  const days = Map.groupBy(rows, ({ eventUuid }) => startOfDay(uuidTime(eventUuid)));
  return [...days].map(([dayMs, ofDay]) => ({ from: uuidFloor(dayMs), to: uuidFloor(dayMs + DAY_MS), rows: ofDay }));
}
