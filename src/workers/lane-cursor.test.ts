import { expect, test } from 'vitest';
import { type Cursor, START } from '../store/mailbox.ts';
import { LaneCursor } from './lane-cursor.ts';

/** Postgres's clock, after everything that is due here. */
const CLOCK_MS = 1_000_000;

function row(dueAtMs: number): Cursor {
  return { dueAtMs, eventUuid: `u${dueAtMs}`, endpointNum: 1 };
}

/** A cursor after a fetch that brought this row: all that was due, or `isContinuing`. */
function cursorAt(dueAtMs: number, isContinuing: boolean): LaneCursor {
  const cursor = new LaneCursor();
  cursor.begin(CLOCK_MS, false);
  cursor.fetched(row(dueAtMs), row(dueAtMs), isContinuing);
  return cursor;
}

test('rows that all come from memory leave the cursor a second or so back: late commits, and a clock that is wrong by less, cost nothing', () => {
  const cursor = cursorAt(2_000, false);
  cursor.begin(CLOCK_MS + 20, false);
  expect(cursor.dueAtMs).toBe(CLOCK_MS - 1_000);
  expect(cursor.after('near', false).dueAtMs).toBe(CLOCK_MS - 1_100);
});

test('one row that became visible late does not take the cursor back to it, but where more are behind it, it goes on there', () => {
  for (const [isContinuing, place] of [
    [false, 9_000],
    [true, 1_000],
  ] as const) {
    const cursor = cursorAt(9_000, true);
    cursor.begin(5_000, false);
    cursor.fetched(row(1_000), row(1_000), isContinuing);
    expect(cursor.after('near', true)).toEqual(row(place));
  }
});

test('where the clock of Postgres was set back, a lane looks before its cursor', () => {
  const cursor = cursorAt(9_000, false);
  cursor.begin(3_000, false);
  expect(cursor.dueAtMs).toBe(3_000);
  expect(cursor.after('near', false).dueAtMs).toBe(2_900);
});

test('a look far back begins fifteen seconds before the cursor, also where there is something to go on with, and one from the start there', () => {
  const cursor = cursorAt(CLOCK_MS, true);
  expect(cursor.after('far', true).dueAtMs).toBe(CLOCK_MS - 15_000);
  for (const depth of ['start', 'part'] as const) expect(cursor.after(depth, true)).toBe(START);
});

test('a cursor at the start goes to the clock where what is before that is read in parts; another stays', () => {
  const cursor = new LaneCursor();
  cursor.begin(CLOCK_MS, true);
  expect(cursor.dueAtMs).toBe(CLOCK_MS);
  const other = cursorAt(9_000, true);
  other.begin(CLOCK_MS, true);
  expect(other.dueAtMs).toBe(9_000);
});

test('a cursor goes back to before all that the last fetch brought, wherever that began', () => {
  for (const [first, before] of [
    [7_000, 7_000],
    [9_500, 9_000],
  ] as const) {
    const cursor = cursorAt(9_000, true);
    cursor.fetched(row(first), row(10_000), true);
    cursor.goBack();
    expect(cursor.dueAtMs).toBe(before);
  }
});

test('a fetch that passed over rows leaves the cursor before them', () => {
  const cursor = cursorAt(2_000, true);
  cursor.fetchedPast(row(9_000));
  expect(cursor.after('near', true)).toEqual(row(2_000));
});

test('what was fetched is not looked at again by looks past a crowd', () => {
  const cursor = cursorAt(7_000, true);
  expect([START, row(6_000), row(8_000)].map((place) => cursor.notRead(place))).toEqual([
    row(7_000),
    row(7_000),
    row(8_000),
  ]);
});
