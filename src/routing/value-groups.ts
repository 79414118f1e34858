import type { IndexedTest } from './indexed-test.ts';
import { matchSteps } from './match-steps.ts';
import type { PathNode } from './path-node.ts';
import type { Leaf } from './satisfies.ts';

/** Which of the distinct values of a path satisfy a test: a bit for each. Tests that the same values satisfy have the same one. */
export interface Hits {
  readonly num: number;
  readonly bits: Uint32Array;
}

/** To find the group of a value, and to note what hits there are (and more for many values), in steps of `matchSteps`. */
const GROUP_STEPS = 4;
const HITS_STEPS = 200;

/** The distinct values that an event has at a path, and where each stands. */
export class ValueGroups {
  readonly #nums = new Map<Leaf, number>();
  readonly #values: Leaf[] = [];
  /** By the number of a distinct value, where it stands last; by where a value stands, where it stands before; -1 at the end. */
  readonly #last: number[] = [];
  readonly #before: Int32Array;
  readonly #known = new Map<string, Hits>();

  constructor(path: PathNode) {
    matchSteps.take(path.values.length * GROUP_STEPS);
    this.#before = new Int32Array(path.values.length);
    for (const [at, value] of path.values.entries()) {
      let num = this.#nums.get(value);
      if (num === undefined) {
        num = this.#values.push(value) - 1;
        this.#nums.set(value, num);
        this.#last.push(-1);
      }
      this.#before[at] = this.#last[num]!;
      this.#last[num] = at;
    }
  }

  /** @param num for hits that were not met before */
  hitsOf(test: IndexedTest, num: number): Hits {
    const bits = new Uint32Array((this.#values.length + 31) >>> 5);
    matchSteps.take(HITS_STEPS + 2 * bits.length + (test.exactValues?.length ?? 0));
    if (test.exactValues === null) {
      matchSteps.take(this.#values.length * test.steps);
      for (const [i, value] of this.#values.entries()) if (test.satisfiedBy(value)) bits[i >>> 5]! |= 1 << i;
    } else {
      for (const value of test.exactValues) {
        const i = this.#nums.get(value);
        if (i !== undefined) bits[i >>> 5]! |= 1 << i;
      }
    }
    const key = Buffer.from(bits.buffer).toString('latin1');
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const hits = { num, bits };
    this.#known.set(key, hits);
    return hits;
  }

  /** Calls back with where each value that is hit stands, among the path's values. */
  forEachHit({ bits }: Hits, visit: (at: number) => void): void {
    for (let word = 0; word < bits.length; word++) {
      for (let left = bits[word]!; left !== 0; left &= left - 1) {
        const num = (word << 5) | (31 - Math.clz32(left & -left));
        for (let at = this.#last[num]!; at !== -1; at = this.#before[at]!) visit(at);
      }
    }
  }
}
