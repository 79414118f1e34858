import type { IndexedTest } from './indexed-test.ts';
import { matchSteps } from './match-steps.ts';
import type { PathNode } from './path-node.ts';
import type { Leaf } from './satisfies.ts';
import type { SortedValues } from './sorted-values.ts';

/** Which of the distinct values of a path satisfy a test, a bit for each. Tests that are satisfied by the same values share one object. */
export interface Hits {
  readonly num: number;
  readonly bits: Uint32Array;
}

/**
 * How many steps of `matchSteps` it takes to find the group of a value, and to note which values satisfy a test (and more for many values).
 */
const GROUP_STEPS = 4;
const HITS_STEPS = 200;

/** The distinct values that an event has at a path, and where each of them stands among all values there. */
export class ValueGroups {
  readonly #nums = new Map<Leaf, number>();
  readonly #distinct: SortedValues;
  /**
   * Where each distinct value stands last, by its number. `#before` tells where the same value stands before that, by where it stands; -1
   * for nowhere.
   */
  readonly #last: number[] = [];
  readonly #before: Int32Array;
  readonly #known = new Map<string, Hits>();

  constructor(path: PathNode) {
    matchSteps.take(path.values.length * GROUP_STEPS);
    this.#before = new Int32Array(path.values.length);
    this.#distinct = path.distinct;
    for (const [num, value] of this.#distinct.values.entries()) this.#nums.set(value, num);
    for (const [at, value] of path.values.entries()) {
      const num = this.#nums.get(value)!;
      this.#before[at] = this.#last[num] ?? -1;
      this.#last[num] = at;
    }
  }

  /** @param num the number that the hits get if they were not met before */
  hitsOf(test: IndexedTest, num: number): Hits {
    const bits = this.#bitsOf(test);
    matchSteps.take(HITS_STEPS + 2 * bits.length);
    const key = Buffer.from(bits.buffer).toString('latin1');
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const hits = { num, bits };
    this.#known.set(key, hits);
    return hits;
  }

  #bitsOf(test: IndexedTest): Uint32Array {
    if (test.exactValues !== null) return this.#bitsOfExact(test.exactValues);
    return this.#distinct.satisfying(test.anyOf, test.steps) ?? this.#bitsOfEach(test);
  }

  #bitsOfExact(values: readonly Leaf[]): Uint32Array {
    const bits = this.#noBits();
    matchSteps.take(values.length);
    for (const value of values) {
      const num = this.#nums.get(value);
      if (num !== undefined) bits[num >>> 5]! |= 1 << num;
    }
    return bits;
  }

  #bitsOfEach(test: IndexedTest): Uint32Array {
    const { values } = this.#distinct;
    const bits = this.#noBits();
    matchSteps.take(values.length * test.steps);
    for (const [num, value] of values.entries()) if (test.satisfiedBy(value)) bits[num >>> 5]! |= 1 << num;
    return bits;
  }

  #noBits(): Uint32Array {
    return new Uint32Array((this.#distinct.values.length + 31) >>> 5);
  }

  /** Calls `visit` with each place at which a value that is hit stands, among the path's values. */
  forEachHit({ bits }: Hits, visit: (at: number) => void): void {
    for (let word = 0; word < bits.length; word++) {
      for (let left = bits[word]!; left !== 0; left &= left - 1) {
        const num = (word << 5) | (31 - Math.clz32(left & -left));
        for (let at = this.#last[num]!; at !== -1; at = this.#before[at]!) visit(at);
      }
    }
  }
}
