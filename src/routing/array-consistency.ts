import { Spot, spotOf } from './array-spot.ts';
import { hasWay } from './array-ways.ts';
import type { IndexedTest } from './indexed-test.ts';
import { matchSteps } from './match-steps.ts';
import { holdInOneElement } from './one-array.ts';
import type { PathNode } from './path-node.ts';
import { type Hits, ValueGroups } from './value-groups.ts';

const FEW = 64;
/** How many steps of `matchSteps` it takes to find the spot where a value stands. */
const SPOT_STEPS = 4;

/**
 * Finds out whether the tests of a clause hold together, for an event that satisfies each of them by itself. From each array of the event
 * at most one element is chosen, and only one in which a test of the clause is satisfied. A test that allows absence also holds if its
 * field has no value: not outside arrays, not in the chosen elements, and not in an array of which no element is chosen.
 *
 * Many clauses may ask the same of a large event. So it is found out once for the event where values stand, once for each test which values
 * satisfy it, and once for all clauses with the same satisfying values whether these hold together.
 */
export class ArrayConsistency {
  readonly #seq: number;
  readonly #few: number;
  readonly #whole = new Spot(null);
  readonly #groups = new Map<PathNode, ValueGroups>();
  readonly #hits: Hits[] = [];
  readonly #answers = new Map<string, boolean>();
  #round = 0;

  /**
   * @param seq the event's number, which the paths bear at which it has values
   * @param few up to how many values, of all fields of a clause together, are looked at one by one, without making objects for them
   */
  constructor(seq: number, few = FEW) {
    this.#seq = seq;
    this.#few = few;
  }

  holdTogether(tests: readonly IndexedTest[]): boolean {
    if (this.#isFree(tests)) return true;
    const isSmall = tests.reduce((sum, { path }) => sum + path.values.length, 0) <= this.#few;
    if (isSmall) matchSteps.take(tests.reduce((sum, { path, steps }) => sum + path.values.length * steps, 0));
    const answer = isSmall ? holdInOneElement(tests) : null;
    return answer ?? this.#findAnswer(tests.filter(({ path }) => path.seq === this.#seq));
  }

  /**
   * Whether at most one field is in arrays, and its test does not allow absence: then an element for it can be chosen whatever the others
   * ask.
   */
  #isFree(tests: readonly IndexedTest[]): boolean {
    let fields = 0;
    for (const { path, allowsAbsence } of tests) {
      if (path.seq !== this.#seq || path.inArrays === 0) continue;
      if (allowsAbsence) return false;
      fields++;
    }
    return fields <= 1;
  }

  #findAnswer(tests: readonly IndexedTest[]): boolean {
    const hits = tests.map((test) => this.#hitsOf(test));
    const key = hits
      .map(({ num }, i) => (tests[i]!.allowsAbsence ? ~num : num))
      .sort((a, b) => a - b)
      .join();
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const answer = this.#tryElements(tests, hits);
    this.#answers.set(key, answer);
    return answer;
  }

  #hitsOf(test: IndexedTest): Hits {
    if (test.hitsSeq === this.#seq) return this.#hits[test.hits]!;
    const hits = this.#groupsOf(test.path).hitsOf(test, this.#hits.length);
    this.#hits[hits.num] = hits;
    test.hits = hits.num;
    test.hitsSeq = this.#seq;
    return hits;
  }

  #groupsOf(path: PathNode): ValueGroups {
    const known = this.#groups.get(path);
    if (known !== undefined) return known;
    const made = new ValueGroups(path);
    this.#groups.set(path, made);
    return made;
  }

  #tryElements(tests: readonly IndexedTest[], hits: readonly Hits[]): boolean {
    const whole = this.#whole;
    const round = ++this.#round;
    let optional = 0;
    whole.enter(round);
    for (const [i, { path, allowsAbsence }] of tests.entries()) {
      const bit = 1 << i;
      const { elements } = path;
      if (allowsAbsence) {
        optional |= bit;
        matchSteps.take(elements.length * SPOT_STEPS);
        for (const element of elements) {
          const spot = spotOf(element, whole);
          spot.enter(round);
          spot.addPresent(bit);
        }
      }
      this.#groupsOf(path).forEachHit(hits[i]!, (at) => {
        matchSteps.take(SPOT_STEPS);
        const spot = spotOf(elements[at]!, whole);
        spot.enter(round);
        spot.addFound(bit);
      });
    }
    return hasWay(whole, { optional, required: (2 ** tests.length - 1) & ~optional });
  }
}
