import { expect, test } from 'vitest';
import { LaneWaker } from './lane-waker.ts';

test('lanes that are awake here are told directly, and only the others are rung', () => {
  const rung: number[] = [];
  const waker = new LaneWaker((lanes) => rung.push(...lanes));
  waker.wake([1, 2]);
  expect(rung.splice(0)).toEqual([1, 2]);
  waker.wakeLocal = (lanes) => [...lanes].filter((lane) => lane !== 1);
  waker.wake([1, 2]);
  expect(rung).toEqual([2]);
});
