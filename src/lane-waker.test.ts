import { expect, test } from 'vitest';
import { LaneWaker } from './lane-waker.ts';

function createWaker() {
  const rung: number[] = [];
  const called: number[] = [];
  const waker = new LaneWaker({ ring: (lanes) => rung.push(...lanes), call: (lanes) => called.push(...lanes) });
  return { waker, take: () => ({ rung: rung.splice(0), called: called.splice(0) }) };
}

test('lanes that are awake here are told directly, and only the others are rung and called', () => {
  const { waker, take } = createWaker();
  waker.wake([1, 2]);
  expect(take()).toEqual({ rung: [1, 2], called: [1, 2] });
  waker.wakeLocal = (lanes) => [...lanes].filter((lane) => lane !== 1);
  waker.wake([1, 2]);
  expect(take()).toEqual({ rung: [2], called: [2] });
});

test('under load nobody is called: lanes that are awake look by themselves', () => {
  const { waker, take } = createWaker();
  waker.wake([1, 2], 50);
  expect(take()).toEqual({ rung: [1, 2], called: [] });
});
