import type { Condition, NumberRange } from './condition.ts';
import { compareNumbers, type EventNumber, ExactNumber } from './exact-number.ts';
import { matchSteps } from './match-steps.ts';
import type { Leaf } from './satisfies.ts';
import { endOf, type SortedKeys, sortingSteps, type ValueRun } from './sorted-keys.ts';

/** The numbers among the values of a path. */
export class SortedNumbers implements SortedKeys {
  readonly keys: readonly EventNumber[];
  /** One of each that no filter tells apart. At most three have the same double: one below it, one that is it, and one above. */
  readonly distinct: readonly EventNumber[];
  /** The doubles of `distinct`. */
  readonly doubles: Float64Array;
  readonly #nums: Int32Array;

  /** @param values each once */
  constructor(values: readonly Leaf[]) {
    const numbers = new Map<number, EventNumber>();
    for (const [num, value] of values.entries()) if (isNumber(value)) numbers.set(num, value);
    matchSteps.take(values.length + sortingSteps(numbers.size));
    this.#nums = Int32Array.from(numbers.keys()).sort((a, b) => comparePlaces(numbers.get(a)!, numbers.get(b)!));
    this.keys = Array.from(this.#nums, (num) => numbers.get(num)!);
    this.distinct = this.keys.filter((key, i) => i === 0 || comparePlaces(this.keys[i - 1]!, key) !== 0);
    this.doubles = Float64Array.from(this.distinct, doubleOf);
  }

  runOf(condition: Condition): ValueRun {
    if (condition.kind === 'range') return this.#within(condition);
    if (condition.kind !== 'number') throw new Error('Numbers are not sorted for such a condition.');
    const { value } = condition;
    return this.#within({ low: value, lowOpen: false, high: value, highOpen: false });
  }

  #within({ low, lowOpen, high, highOpen }: Omit<NumberRange, 'kind'>): ValueRun {
    const isBelow = (key: EventNumber) => {
      const side = low === Number.NEGATIVE_INFINITY ? 1 : compareNumbers(key, low);
      return side < 0 || (side === 0 && lowOpen);
    };
    const isNotAbove = (key: EventNumber) => {
      const side = high === Number.POSITIVE_INFINITY ? -1 : compareNumbers(key, high);
      return side < 0 || (side === 0 && !highOpen);
    };
    const from = endOf(this.keys, isBelow);
    return { nums: this.#nums, from, to: endOf(this.keys, isNotAbove, from) };
  }
}

/** By their doubles; those with the same double by the side of it that they are on. */
function comparePlaces(a: EventNumber, b: EventNumber): number {
  const [x, y] = [doubleOf(a), doubleOf(b)];
  if (x !== y) return x < y ? -1 : 1;
  return sideOf(a) - sideOf(b);
}

function doubleOf(number: EventNumber): number {
  return typeof number === 'number' ? number : number.double;
}

function sideOf(number: EventNumber): number {
  return typeof number === 'number' ? 0 : number.side;
}

function isNumber(value: Leaf): value is EventNumber {
  return typeof value === 'number' || value instanceof ExactNumber;
}
