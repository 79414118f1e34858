import type { Condition } from './condition.ts';

/** Values of a path in an order: the numbers that they have among all its distinct values. */
export interface ValueRun {
  readonly nums: Int32Array;
  readonly from: number;
  readonly to: number;
}

/** Values in an order in which those that satisfy a condition are beside each other. */
export interface SortedKeys {
  /** @param condition one that they are sorted for */
  runOf(condition: Condition): ValueRun;
}

/** To compare two values that are sorted, in steps of `matchSteps`. */
const COMPARE_STEPS = 4;

/** To sort so many values, in steps of `matchSteps`. */
export function sortingSteps(count: number): number {
  return count * Math.ceil(Math.log2(count + 1)) * COMPARE_STEPS;
}

/** Where the first of some keys end, which are all that are in front. */
export function endOf<K>(keys: ArrayLike<K>, isInFront: (key: K) => boolean, from = 0, to = keys.length): number {
  let first = from;
  let end = to;
  while (first < end) {
    const middle = (first + end) >>> 1;
    if (isInFront(keys[middle]!)) first = middle + 1;
    else end = middle;
  }
  return first;
}
