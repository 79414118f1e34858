import { Spot, spotOf } from './array-spot.ts';
import { hasWay } from './array-ways.ts';
import type { IndexedTest } from './indexed-test.ts';
import { matchSteps } from './match-steps.ts';
import { holdInOneElement } from './one-array.ts';
import type { PathNode } from './path-node.ts';
import { type Hits, ValueGroups } from './value-groups.ts';

const FEW = 64;
/** To look where a value stands, in steps of `matchSteps`. */
const SPOT_STEPS = 4;

/**
 * Whether tests of clauses, each of which one event satisfies, hold together: from each array of the event one element at most is taken,
 * and only one in which something of the clause is found. Fields that must not be there must not be where something is taken, nor in an
 * array from which nothing is.
 *
 * Many clauses may ask the same of a large event. Where values stand is found out once; which of them satisfy a test, once for the test;
 * and what clauses ask that the same values satisfy, once for all of them.
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
   * @param seq the event's, which paths have that it has values for
   * @param few how many values of a clause's fields are looked at one by one, without anything being made
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

  /** Whether one field at most is in arrays, and it must be there: an element of it is chosen whatever the others ask. */
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
