import type { Condition } from './condition.ts';

/**
 * Neighbours among the values of a path in some order. `nums` has the values in that order, each as its number among all distinct values of
 * the path.
 */
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

/** How many steps of `matchSteps` a comparison takes when values are sorted. */
const COMPARE_STEPS = 4;

/** How many steps of `matchSteps` it takes to sort so many values. */
export function sortingSteps(count: number): number {
  return count * Math.ceil(Math.log2(count + 1)) * COMPARE_STEPS;
}

/** Where the keys end that are in front. All of these come before all others. */
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
