import { ArrayConsistency } from './array-consistency.ts';
import { LINK, LINKS } from './edge-links.ts';
import { ExactNumber } from './exact-number.ts';
import { holdsByMarks } from './holds-by-marks.ts';
import { AT, CLAUSE, type IndexMemory, PLACE } from './index-memory.ts';
import type { IntervalVisitor } from './interval-trees.ts';
import { MAX_MATCH_STEPS, matchSteps } from './match-steps.ts';
import type { PathNode } from './path-node.ts';
import { readFields, releaseFields } from './read-fields.ts';
import { isCertain, isGuessed, KIND } from './record-kind.ts';
import { HEAD } from './record-table.ts';
import { SatisfiedConditions } from './satisfied-conditions.ts';
import type { Leaf } from './satisfies.ts';
import type { SortedNumbers } from './sorted-numbers.ts';
import { textNotes } from './text-notes.ts';

/** To visit a place, and to look whether tests hold together, in steps of `matchSteps`. */
const PLACE_STEPS = 4;
const CONSISTENCY_STEPS = 150;
/** From so many steps for the ranges of one number on, all numbers of the path may be looked up together. */
const MANY_STEPS = 64;
/** To look at a node of a tree of ranges with all numbers together, in steps of `matchSteps`. */
const NODE_STEPS = 6;

/** Takes events through an index, one at a time. */
export class EventSearch implements IntervalVisitor {
  readonly #memory: IndexMemory;
  readonly #root: number;
  readonly #marks: number;
  readonly #satisfied: SatisfiedConditions;
  #seq = 0;
  #mark = 0;
  #touched: readonly PathNode[] = [];
  /** Bits of the paths that have values in elements of arrays. */
  #arrayBits = 0;
  #arrays: ArrayConsistency | null = null;
  #found: number[] = [];
  #place = 0;
  #depth = 0;
  #value: Leaf = null;
  /** How many intervals numbers were in, with the steps of tests that were asked for them, as far as `matchSteps` was not told of it. */
  #passed = 0;
  /** Adds up what was read only to bring it into the cache. */
  #warmth = 0;

  /** @param marks how many events are told apart by their marks, before all marks are wiped out and begin anew */
  constructor(memory: IndexMemory, root: number, marks: number) {
    this.#memory = memory;
    this.#root = root;
    this.#marks = marks;
    this.#satisfied = new SatisfiedConditions(memory);
  }

  /**
   * @param mostSteps that it may take
   * @throws TooCostlyToMatch where it would take more; the next event is matched as if this one had not been
   */
  match(event: unknown, mostSteps = MAX_MATCH_STEPS): number[] {
    const seq = this.#begin();
    const touched = readFields(event, this.#memory.conditions.root, seq);
    this.#touched = touched;
    this.#arrayBits = 0;
    for (const path of touched) if (path.inArrays > 0) this.#arrayBits |= path.bit;
    this.#found = [];
    this.#passed = 0;
    matchSteps.begin(mostSteps);
    try {
      this.#satisfied.find(touched, this.#mark);
      this.#visitPlace(this.#root, 0);
      return risingOnce(this.#found);
    } finally {
      matchSteps.end();
      releaseFields(touched);
      this.#satisfied.release();
      textNotes.forget();
      this.#arrays = null;
    }
  }

  inside(link: number): void {
    this.#passed++;
    this.#followLink(link, this.#place, this.#depth);
  }

  atEnd(link: number): void {
    const { words } = this.#memory.arena;
    this.#passed++;
    if (words[words[link + LINK.links]! + LINKS.mark] === this.#mark) return;
    const test = this.#memory.conditions.objectOf(words[link + LINK.test]!);
    this.#passed += test.steps;
    if (test.satisfiedBy(this.#value)) this.#followLink(link, this.#place, this.#depth);
  }

  #begin(): number {
    this.#seq++;
    this.#mark = (this.#seq % this.#marks) + 1;
    if (this.#mark === 1) this.#forgetMarks();
    return this.#seq;
  }

  #forgetMarks(): void {
    const { arena, conditions, pairs } = this.#memory;
    conditions.table.forgetMarks();
    for (let at = 0; at < pairs.slots.length; at += 4) {
      const links = pairs.slots[at + 3]!;
      if (links !== 0) arena.words[links + LINKS.mark] = 0;
    }
  }

  #visitPlace(place: number, depth: number): void {
    const { words } = this.#memory.arena;
    for (let clause = words[place + PLACE.first]!; clause !== 0; clause = words[clause + CLAUSE.next]!) {
      this.#visitClause(clause, depth);
    }
    if (words[place + PLACE.isParted] === 0) return;
    // Satisfied records and paths with values are passed over by their bits where this place asks nothing of them: that takes time too.
    matchSteps.take(PLACE_STEPS + ((this.#satisfied.count + this.#touched.length) >>> 3));
    this.#visitRecords(place, depth);
    if (words[place + PLACE.alternatives]! > 0) this.#visitAlternatives(place, depth);
    if (words[place + PLACE.ranges]! > 0) this.#visitRanges(place, depth);
    if (words[place + PLACE.broad]! > 0) this.#visitBroad(place, depth);
    this.#askEach(words[place + PLACE.absent]!, place, depth);
  }

  /**
   * Follows the edges of the conditions that are satisfied. All are looked up before the first is followed, and what they lead to is read
   * before it is needed: memory answers many questions at once as fast as one.
   */
  #visitRecords(place: number, depth: number): void {
    const { ids, bits } = this.#satisfied;
    const { pairs, arena } = this.#memory;
    const { words } = arena;
    const { slots } = pairs;
    const placeBits = words[place + PLACE.bits]!;
    const wanted: number[] = [];
    let warmth = 0;
    for (let i = 0; i < this.#satisfied.count; i++) {
      if ((bits[i]! & placeBits) === 0) continue;
      const home = pairs.home(place, ids[i]!);
      warmth ^= slots[home]!;
      wanted.push(home, ids[i]!);
    }
    matchSteps.take(wanted.length);
    let kept = 0;
    for (let i = 0; i < wanted.length; i += 2) {
      const at = pairs.findFrom(wanted[i]!, place, wanted[i + 1]!);
      if (at === -1) continue;
      const target = slots[at + 2]!;
      warmth ^= words[Math.abs(target)]!;
      wanted[kept++] = target;
    }
    this.#warmth ^= warmth;
    for (let i = 0; i < kept; i++) this.#visitTarget(wanted[i]!, depth + 1);
  }

  #visitAlternatives(place: number, depth: number): void {
    const { ids, bits, count } = this.#satisfied;
    const { arena, pairs } = this.#memory;
    for (let i = 0; i < count; i++) {
      if ((bits[i]! & arena.words[place + PLACE.bits]!) === 0) continue;
      matchSteps.take(2);
      let link = pairs.get(place + AT.alternatives, ids[i]!);
      for (; link !== 0; link = arena.words[link + LINK.next]!) {
        matchSteps.take(2);
        this.#followLink(link, place, depth);
      }
    }
  }

  #visitRanges(place: number, depth: number): void {
    const { arena, pairs } = this.#memory;
    for (const path of this.#touched) {
      if ((path.bit & arena.words[place + PLACE.bits]!) === 0) continue;
      const root = pairs.get(place + AT.ranges, path.id);
      if (root === 0) continue;
      matchSteps.take(path.values.length);
      this.#place = place;
      this.#depth = depth;
      const numbers = this.#visitRangesOfEach(path, root);
      if (numbers !== null) this.#visitRangesOfAll(numbers, root);
    }
  }

  /**
   * Visits the ranges of one number after the other. @returns the numbers of the path once they are to be visited together, because many of
   * them are in many ranges; else null
   */
  #visitRangesOfEach(path: PathNode, root: number): SortedNumbers | null {
    const { intervals } = this.#memory;
    let steps = 0;
    for (const value of path.values) {
      if (typeof value !== 'number' && !(value instanceof ExactNumber)) continue;
      // `steps` is what the number before this one took.
      const numbers = steps < MANY_STEPS ? null : path.distinct.numbersAfter(steps);
      if (numbers !== null) return numbers;
      this.#value = value;
      // A number that a double does not hold is on the same side of a bound as its double, unless the bound is that double: see `atEnd`.
      intervals.visit(root, typeof value === 'number' ? value : value.double, this);
      steps = this.#takePassed();
    }
    return null;
  }

  #visitRangesOfAll({ doubles, distinct }: SortedNumbers, root: number): void {
    const atEnds = (link: number, from: number, to: number) => {
      for (let at = from; at < to; at++) {
        this.#value = distinct[at]!;
        this.atEnd(link);
      }
      this.#takePassed();
    };
    const visitor = { inside: (link: number) => this.inside(link), atEnds };
    const looked = this.#memory.intervals.visitAll(root, doubles, visitor);
    matchSteps.take(looked * NODE_STEPS);
    this.#takePassed();
  }

  /** Tells `matchSteps` of what was passed. @returns how many steps that took */
  #takePassed(): number {
    const steps = 2 * this.#passed;
    this.#passed = 0;
    matchSteps.take(steps);
    return steps;
  }

  #visitBroad(place: number, depth: number): void {
    const { arena, pairs } = this.#memory;
    for (const path of this.#touched) {
      if ((path.bit & arena.words[place + PLACE.bits]!) !== 0)
        this.#askEach(pairs.get(place + AT.broad, path.id), place, depth);
    }
  }

  #askEach(first: number, place: number, depth: number): void {
    const { words } = this.#memory.arena;
    for (let link = first; link !== 0; link = words[link + LINK.next]!) {
      matchSteps.take(2);
      if (this.#holds(words[link + LINK.test]!)) this.#followLink(link, place, depth);
    }
  }

  #followLink(link: number, place: number, depth: number): void {
    const { words } = this.#memory.arena;
    const links = words[link + LINK.links]!;
    if (words[links + LINKS.mark] === this.#mark) return;
    words[links + LINKS.mark] = this.#mark;
    const value = this.#value;
    this.#visitTarget(this.#memory.pairs.get(place, words[link + LINK.test]!), depth + 1);
    // A tree of ranges may be in the middle of being visited: what it goes on with is as before.
    this.#place = place;
    this.#depth = depth;
    this.#value = value;
  }

  #visitTarget(target: number, depth: number): void {
    if (target < 0) this.#visitPlace(-target, depth);
    else this.#visitClause(target, depth);
  }

  #visitClause(clause: number, depth: number): void {
    const { words } = this.#memory.arena;
    const count = words[clause + CLAUSE.count]!;
    for (let i = depth; i < count; i++) if (!this.#holds(words[clause + CLAUSE.tests + i]!)) return;
    if ((words[clause + CLAUSE.bits]! & this.#arrayBits) !== 0 && !this.#isConsistent(clause, count)) return;
    this.#found.push(words[clause + CLAUSE.owner]!);
  }

  /** Whether the event's values satisfy the test, each field for itself. */
  #holds(test: number): boolean {
    const { arena, conditions } = this.#memory;
    const kind = conditions.kindOf(test);
    const isLookedUp = isCertain(kind) || (isGuessed(kind) && arena.words[test + HEAD.edges]! > 0);
    if (isLookedUp) return arena.words[test + HEAD.mark] === this.#mark;
    if (kind === KIND.exists) return conditions.pathOf(test).seq === this.#seq;
    // Once there are more lists than are kept as objects, no object is made for a list that needs none.
    const needsNone = kind === KIND.several && !conditions.hasRoomFor(test);
    const said = needsNone ? holdsByMarks(this.#memory, test, { mark: this.#mark, seq: this.#seq }) : null;
    return said ?? conditions.objectOf(test).holds(this.#seq);
  }

  #isConsistent(clause: number, count: number): boolean {
    matchSteps.take(CONSISTENCY_STEPS + 2 * count);
    const { arena, conditions } = this.#memory;
    const tests = Array.from({ length: count }, (_, i) => conditions.objectOf(arena.words[clause + CLAUSE.tests + i]!));
    this.#arrays ??= new ArrayConsistency(this.#seq);
    return this.#arrays.holdTogether(tests);
  }
}

function risingOnce(numbers: number[]): number[] {
  numbers.sort((a, b) => a - b);
  let kept = 0;
  for (let i = 0; i < numbers.length; i++) {
    if (i > 0 && numbers[i] === numbers[i - 1]) continue;
    numbers[kept++] = numbers[i]!;
  }
  numbers.length = kept;
  return numbers;
}
