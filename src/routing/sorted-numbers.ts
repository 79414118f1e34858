import type { Condition, NumberRange } from './condition.ts';
import { compareNumbers, type EventNumber, ExactNumber } from './exact-number.ts';
import { matchSteps } from './match-steps.ts';
import type { Leaf } from './satisfies.ts';
import { endOf, type SortedKeys, sortingSteps, type ValueRun } from './sorted-keys.ts';

/** To compare the digits of a number with its double, in steps of `matchSteps`. */
const DIGITS_STEPS = 50;

/** The numbers among the values of a path. */
export class SortedNumbers implements SortedKeys {
  readonly keys: readonly EventNumber[];
  /** What a double does not hold is beside its double. */
  readonly doubles: Float64Array;
  readonly #nums: Int32Array;

  /** @param values each once */
  constructor(values: readonly Leaf[]) {
    const places = new Map<number, Place>();
    for (const [num, value] of values.entries()) if (isNumber(value)) places.set(num, placeOf(value));
    matchSteps.take(values.length + sortingSteps(places.size));
    this.#nums = Int32Array.from(places.keys()).sort((a, b) => comparePlaces(places.get(a)!, places.get(b)!));
    this.keys = Array.from(this.#nums, (num) => values[num] as EventNumber);
    this.doubles = Float64Array.from(this.#nums, (num) => places.get(num)!.double);
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

/** A double, and on which side of it the number is: filters have doubles only, so that nothing else of a number matters to them. */
interface Place {
  readonly double: number;
  readonly side: number;
}

function placeOf(value: EventNumber): Place {
  if (typeof value === 'number') return { double: value, side: 0 };
  matchSteps.take(DIGITS_STEPS);
  const { double } = value;
  return { double, side: Number.isFinite(double) ? compareNumbers(value, double) : 0 };
}

function comparePlaces(a: Place, b: Place): number {
  if (a.double !== b.double) return a.double < b.double ? -1 : 1;
  return a.side - b.side;
}

function isNumber(value: Leaf): value is EventNumber {
  return typeof value === 'number' || value instanceof ExactNumber;
}
