import type { NumberRange } from './condition.ts';
import type { EventNumber } from './exact-number.ts';
import { satisfies } from './satisfies.ts';

/**
 * Ranges of which a number is to be in one. Those that overlap or touch are joined, so that at most two have to be looked at for a number.
 */
export class NumberRanges {
  readonly #apart: NumberRange[] = [];

  constructor(ranges: readonly NumberRange[]) {
    for (const range of [...ranges].sort(compareLows)) {
      const last = this.#apart.at(-1);
      if (last === undefined || isGapBetween(last, range)) this.#apart.push(range);
      else if (endsLater(range, last)) {
        this.#apart[this.#apart.length - 1] = { ...last, high: range.high, highOpen: range.highOpen };
      }
    }
  }

  has(value: EventNumber): boolean {
    const double = typeof value === 'number' ? value : value.double;
    let from = 0;
    let to = this.#apart.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (this.#apart[middle]!.low <= double) from = middle + 1;
      else to = middle;
    }
    // A number that a double does not hold may be less than its double, and so be in the range before.
    return this.#isIn(value, from - 1) || this.#isIn(value, from - 2);
  }

  #isIn(value: EventNumber, at: number): boolean {
    return at >= 0 && satisfies(value, this.#apart[at]!);
  }
}

function compareLows(a: NumberRange, b: NumberRange): number {
  if (a.low !== b.low) return a.low < b.low ? -1 : 1;
  return Number(a.lowOpen) - Number(b.lowOpen);
}

function isGapBetween(a: NumberRange, b: NumberRange): boolean {
  return a.high < b.low || (a.high === b.low && a.highOpen && b.lowOpen);
}

function endsLater(a: NumberRange, b: NumberRange): boolean {
  return a.high > b.high || (a.high === b.high && b.highOpen && !a.highOpen);
}
