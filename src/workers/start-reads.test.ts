import { expect, test } from 'vitest';
import { StartReads } from './start-reads.ts';

const lane = (depth: string) => ({ depth, rescanTook: () => {}, partTook: () => {} });
const held = (...numbers: number[]) => new Map(numbers.map((number) => [number, null]));

test('lanes are read from the start in parts from when that took two seconds at once, until all parts of all lanes take less than one', () => {
  const starts = new StartReads();
  starts.took([lane('start'), lane('near')], 1_999, 2, 0);
  starts.took([lane('near'), lane('far'), lane('part')], 9_000, 2, 0);
  expect(starts.isInParts).toBe(false);
  starts.took([lane('start'), lane('near')], 2_000, 2, 0);
  expect(starts.isInParts).toBe(true);
  starts.walked(1, 10, held(1, 2));
  expect(starts.isInParts).toBe(true);
  starts.walked(2, 990, held(1, 2));
  expect(starts.isInParts).toBe(true);
  starts.walked(2, 980, held(1, 2));
  expect(starts.isInParts).toBe(false);
  starts.took([lane('start')], 10_000, 2, 0);
  starts.walked(1, 10, held(1, 2));
  expect(starts.isInParts).toBe(true);
  // Somebody else has the other lane now.
  starts.walked(1, 10, held(1));
  expect(starts.isInParts).toBe(false);
});

test('all lanes’ parts together take no more than a share of the worker’s time', () => {
  const starts = new StartReads();
  expect(starts.isPartDue(0, 1 / 4)).toBe(true);
  starts.took([lane('part')], 100, 1, 1_000);
  expect([1_299, 1_300].map((at) => starts.isPartDue(at, 1 / 4))).toEqual([false, true]);
  expect([2_899, 2_900].map((at) => starts.isPartDue(at, 1 / 20))).toEqual([false, true]);
});
