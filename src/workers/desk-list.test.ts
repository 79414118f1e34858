import { expect, test } from 'vitest';
import { DeskList } from './desk-list.ts';

test('a lane has an open backlog as long as the settings of an endpoint with parked rows are not known, and not where they cannot be used', () => {
  const list = new DeskList(() => 0);
  const desk = list.of(1, 3);
  expect(list.hasOpenParked(3)).toBe(false);
  desk.markParked();
  expect([list.hasOpenParked(3), list.hasOpenParked(4)]).toEqual([true, false]);
  desk.problem = 'its secrets do not open';
  expect(list.hasOpenParked(3)).toBe(false);
});
