import { expect, test } from 'vitest';
import { Standings } from './standings.ts';

const LINE = [{ group: 'a' }];

/** How many quick batches it takes until the line goes with the others again. */
function quickUntilBack(standings: Standings, nowMs: number): number {
  for (let quick = 1; quick <= 1_000; quick++) {
    standings.pass('a', 250, nowMs);
    if (!standings.isApart('a')) return quick;
  }
  throw new Error('It never goes back.');
}

test('a line that holds others up again and again must be quick ever longer, until it has gone with them for ten minutes', () => {
  const standings = new Standings();
  let nowMs = 0;
  const times = Array.from({ length: 8 }, () => {
    standings.judge(LINE, 251, nowMs);
    nowMs += 1_000;
    const quick = quickUntilBack(standings, nowMs);
    nowMs += 599_999;
    return quick;
  });
  expect(times).toEqual([10, 20, 40, 80, 160, 320, 320, 320]);
  nowMs += 1;
  standings.judge(LINE, 251, nowMs);
  expect(quickUntilBack(standings, nowMs)).toBe(10);
});

test('one that is slow or fails by itself begins to count anew; a batch that is quick sets nobody apart', () => {
  const standings = new Standings();
  standings.judge(LINE, 250, 0);
  expect(standings.hasAny).toBe(false);
  standings.set(LINE, 0);
  for (const hold of [() => standings.pass('a', 251, 0), () => standings.fail('a', true)]) {
    for (let n = 0; n < 9; n++) standings.pass('a', 0, 0);
    hold();
    expect(standings.isApart('a')).toBe(true);
  }
  expect([standings.fail('a', false), standings.fail('a', false), standings.fail('a', true)]).toEqual([1, 2, 0]);
  expect(quickUntilBack(standings, 0)).toBe(10);
  expect(standings.hasAny).toBe(false);
});

test('what is not this process’s any more is forgotten, and the rest is not', () => {
  const standings = new Standings();
  standings.set([{ group: 'a' }, { group: 'b' }], 0);
  standings.keep(new Set(['b', 'c']));
  expect(['a', 'b', 'c'].map(standings.isApart)).toEqual([false, true, false]);
  standings.keep(new Set());
  expect(standings.hasAny).toBe(false);
});
