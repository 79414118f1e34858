import { expect, test } from 'vitest';
import { uuidFloor } from '../domain/ids.ts';
import { byLogDay } from './log-days.ts';

test('rows are told apart by the day of their event, from its first millisecond to its last', () => {
  const day = (n: number) => Date.UTC(2031, 4, n);
  const rows = [day(10), day(11) - 1, day(9), day(11)].map((ms) => ({ eventUuid: uuidFloor(ms) }));
  expect(byLogDay(rows)).toEqual([
    { from: uuidFloor(day(10)), to: uuidFloor(day(11)), rows: [rows[0], rows[1]] },
    { from: uuidFloor(day(9)), to: uuidFloor(day(10)), rows: [rows[2]] },
    { from: uuidFloor(day(11)), to: uuidFloor(day(12)), rows: [rows[3]] },
  ]);
  expect(byLogDay([])).toEqual([]);
});
