import type { Condition } from './condition.ts';
import { matchSteps } from './match-steps.ts';
import type { Leaf } from './satisfies.ts';
import { sortingSteps, type ValueRun } from './sorted-keys.ts';
import { SortedNumbers } from './sorted-numbers.ts';
import { SortedTexts, type TextOrder } from './sorted-texts.ts';

/** Values in the orders that were asked for. */
interface Sorted extends Partial<Record<TextOrder, SortedTexts>> {
  numbers?: SortedNumbers;
}

type Order = keyof Sorted;

/** How many steps of `matchSteps` it takes to find the run that satisfies a condition. */
const RUN_STEPS = 100;
/** How many values are noted in one step (8, given as a power of 2). */
const NOTED_A_STEP = 3;

/**
 * The distinct values of one path of the event that is being matched, sorted for conditions that a run of neighbours satisfies: ranges,
 * beginnings, ends. Among tens of thousands of sorted values a thousand conditions are looked up in less time than it takes to ask each
 * value some dozens of them. Nobody knows beforehand how many conditions will come, so values are sorted only after asking them one by one
 * has taken as long as sorting would: with few conditions nothing is sorted.
 */
export class SortedValues {
  readonly values: readonly Leaf[];
  readonly #sorted: Sorted = {};
  /** How many steps of `matchSteps` it has taken so far to ask the values one by one, less those that sorting has cost. */
  #asked = 0;

  /** @param values each once */
  constructor(values: readonly Leaf[]) {
    this.values = values;
  }

  /**
   * @param steps how many it took to ask the values one by one since the last call
   * @returns null while it is not worth it to sort them
   */
  numbersAfter(steps: number): SortedNumbers | null {
    this.#asked += steps;
    if (this.#sorted.numbers === undefined) this.#sort(['numbers']);
    return this.#sorted.numbers ?? null;
  }

  /**
   * Which values satisfy one of the conditions, a bit for each.
   * @param steps how many it takes to ask one value
   * @returns null where the values are to be asked one by one
   */
  satisfying(conditions: readonly Condition[], steps: number): Uint32Array | null {
    const most = this.values.length * steps;
    const [first] = conditions;
    if (conditions.length > 1 || first?.kind !== 'except') return this.#oneOf(conditions, most);
    const excluded = this.#oneOf(first.of, most);
    return excluded === null ? null : this.#others(excluded);
  }

  /** @param most how many steps it may take */
  #oneOf(conditions: readonly Condition[], most: number): Uint32Array | null {
    const asked = conditions.filter(({ kind }) => kind !== 'absent');
    const orders = asked.map(orderOf).filter((order) => order !== null);
    if (asked.length * RUN_STEPS >= most || orders.length < asked.length) return null;
    if (!this.#sort(orders)) {
      this.#asked += most;
      return null;
    }
    matchSteps.take(asked.length * RUN_STEPS + (this.values.length >>> NOTED_A_STEP));
    const runs = asked.map((condition, i) => this.#sorted[orders[i]!]!.runOf(condition));
    const noted = runs.reduce((sum, { from, to }) => sum + to - from, 0) >>> NOTED_A_STEP;
    if (noted >= most) return null;
    matchSteps.take(noted);
    return this.#noted(runs);
  }

  #noted(runs: readonly ValueRun[]): Uint32Array {
    const bits = new Uint32Array((this.values.length + 31) >>> 5);
    for (const { nums, from, to } of runs) {
      for (let at = from; at < to; at++) bits[nums[at]! >>> 5]! |= 1 << nums[at]!;
    }
    return bits;
  }

  #others(bits: Uint32Array): Uint32Array {
    const others = bits.map((word) => ~word);
    const inLast = this.values.length & 31;
    if (inLast > 0) others[others.length - 1]! &= 2 ** inLast - 1;
    return others;
  }

  /** @returns whether the values are sorted in these orders: not while that is not worth it */
  #sort(orders: readonly Order[]): boolean {
    const missing = new Set(orders.filter((order) => this.#sorted[order] === undefined));
    const steps = missing.size * sortingSteps(this.values.length);
    if (this.#asked < steps) return false;
    this.#asked -= steps;
    for (const order of missing) this.#sortBy(order);
    return true;
  }

  #sortBy(order: Order): void {
    if (order === 'numbers') this.#sorted.numbers = new SortedNumbers(this.values);
    else this.#sorted[order] = new SortedTexts(this.values, order);
  }
}

/** The order in which the values that satisfy a condition are neighbours; null: each value has to be asked. */
function orderOf(condition: Condition): Order | null {
  switch (condition.kind) {
    case 'number':
    case 'range':
      return 'numbers';
    case 'string':
      return 'forwards';
    case 'equals':
      return 'folded';
    case 'prefix':
      return condition.fold ? 'folded' : 'forwards';
    case 'suffix':
      return condition.fold ? 'foldedBackwards' : 'backwards';
    default:
      return null;
  }
}
