import { expect, test } from 'vitest';
import { LanePace } from './lane-pace.ts';

test('a lane is read often while reads bring rows, and seldom when they bring none for a while', () => {
  const pace = new LanePace(0);
  expect([pace.isPollDue(100, 109), pace.isPollDue(100, 110)]).toEqual([false, true]);
  expect([pace.isPollDue(200, 299), pace.isPollDue(200, 300)]).toEqual([false, true]);
  pace.onFreshRows(300);
  expect(pace.isPollDue(300, 310)).toBe(true);
});

test('rows that are handed over in memory keep the lane, but do not make it be read more often', () => {
  const pace = new LanePace(0);
  pace.onHandedRows(1_000);
  expect([pace.hasLingered(1_249), pace.hasLingered(1_250)]).toEqual([false, true]);
  expect(pace.isPollDue(1_000, 1_050)).toBe(false);
});
