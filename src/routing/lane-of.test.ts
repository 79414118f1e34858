import { expect, test } from 'vitest';
import { laneOf } from './lane-of.ts';

test('the lane of an endpoint never changes: rows in the mailbox carry it', () => {
  expect([1, 2, 3, 1_000, 0x7fffffff].map((num) => laneOf(num, 16))).toEqual([4, 7, 6, 12, 1]);
});

test('the hash is FNV-1a over the four bytes, least significant first', () => {
  const fnv1a = (num: number) =>
    [0, 8, 16, 24].reduce(
      (hash, shift) => ((hash ^ BigInt((num >>> shift) & 255)) * 0x01000193n) & 0xffffffffn,
      0x811c9dc5n,
    );
  for (let num = 0; num < 3_000; num += 7) expect(laneOf(num * num, 1_024)).toBe(Number(fnv1a(num * num) % 1_024n));
});

test('every endpoint has a lane, and endpoints spread over all of them', () => {
  for (const lanes of [1, 7, 16]) {
    const counts = new Array<number>(lanes).fill(0);
    for (let num = 1; num <= 10_000; num++) counts[laneOf(num, lanes)]!++;
    for (const count of counts) expect(Math.abs(count - 10_000 / lanes)).toBeLessThan(2_000 / lanes);
  }
});
