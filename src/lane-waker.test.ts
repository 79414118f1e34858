import { expect, test } from 'vitest';
import { LaneWaker } from './lane-waker.ts';

function createWaker() {
  const rung: number[] = [];
  const called: number[] = [];
  const waker = new LaneWaker({
    ring: (lanes) => rung.push(...lanes),
    call: (lanes) => called.push(...lanes),
    callBehind: (lanes) => ({
      query: { name: 'call', text: '', values: [[...lanes].join(' ')] },
      failed: () => {},
      settled: () => {},
    }),
  });
  return { waker, take: () => ({ rung: rung.splice(0), called: called.splice(0) }) };
}

test('lanes that are awake here are told directly, and only the others are rung and called', () => {
  const { waker, take } = createWaker();
  waker.wake([1, 2]);
  expect(take()).toEqual({ rung: [1, 2], called: [1, 2] });
  waker.local = { wake: (lanes) => [...lanes].filter((lane) => lane !== 1), expect: () => null };
  waker.wake([1, 2]);
  expect(take()).toEqual({ rung: [2], called: [2] });
});

test('under load nobody is called: lanes that are awake look by themselves', () => {
  const { waker, take } = createWaker();
  waker.wake([1, 2], { deliveries: 50 });
  expect(take()).toEqual({ rung: [1, 2], called: [] });
});

test('lanes that were called behind their commit are not called again', () => {
  const { waker, take } = createWaker();
  expect(waker.callBehind(2, () => [1, 2])).toMatchObject({ query: { values: ['1 2'] } });
  waker.wake([1, 2], { deliveries: 2, alreadyCalled: true });
  expect(take()).toEqual({ rung: [1, 2], called: [] });
});

test('nobody is called behind a commit of many deliveries, or of none, or where lanes are awake in the same process', () => {
  const { waker } = createWaker();
  expect(waker.callBehind(50, () => [1])).toBeNull();
  expect(waker.callBehind(0, () => [])).toBeNull();
  waker.local = { wake: () => [], expect: () => null };
  expect(waker.callBehind(1, () => [1])).toBeNull();
});
