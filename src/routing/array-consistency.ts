import type { IndexedTest } from './indexed-test.ts';
import { holdInOneElement } from './one-array.ts';
import type { ArrayElement, EventArray } from './path-node.ts';

/**
 * Whether the tests of a clause, each of which holds, hold together: from each array of the event one element at most is taken, and
 * only one in which something of the clause is found. Fields that must not be there must not be where something is taken, nor in an
 * array from which nothing is.
 */
export function isConsistent(tests: readonly IndexedTest[], seq: number): boolean {
  const hasChoice = tests.some(({ path }) => path.seq === seq && path.inArrays > 0);
  if (!hasChoice || (tests.length === 1 && !tests[0]!.allowsAbsence)) return true;
  const answer = holdInOneElement(tests);
  if (answer !== null) return answer;
  const whole = newSpot();
  const totals = new Array<number>(tests.length).fill(0);
  const spots = new Map<ArrayElement | EventArray, Spot>();
  for (const [i, test] of tests.entries()) {
    if (test.path.seq !== seq) continue;
    for (const [at, value] of test.path.values.entries()) {
      const satisfied = test.satisfiedBy(value);
      if (satisfied) totals[i]!++;
      if (satisfied || test.allowsAbsence) place(test.path.elements[at]!, 1 << i, i, { satisfied, whole, spots });
    }
  }
  const optional = tests.reduce((bits, test, i) => (test.allowsAbsence ? bits | (1 << i) : bits), 0);
  const all = 2 ** tests.length - 1;
  const known: Known = { totals, optional, required: all & ~optional };
  return waysOf(whole, known).some(({ found, present }) => (found | (optional & ~present)) === all);
}

/** The event, an array or an element of it, with what the clause has to do with it. Tests are bits. */
interface Spot {
  /** Satisfied by a value that stands here, in no array below. */
  found: number;
  /** Those that have any value here. */
  present: number;
  /** Anywhere here or below. */
  presentBelow: number;
  /** How many values satisfy each test, here or below; for arrays. */
  readonly counts: number[];
  readonly inner: Spot[];
}

/** What a choice of elements comes to. */
interface Way {
  readonly found: number;
  readonly present: number;
}

interface Known {
  readonly totals: readonly number[];
  readonly optional: number;
  readonly required: number;
}

function newSpot(): Spot {
  return { found: 0, present: 0, presentBelow: 0, counts: [], inner: [] };
}

interface Placing {
  readonly satisfied: boolean;
  readonly whole: Spot;
  readonly spots: Map<ArrayElement | EventArray, Spot>;
}

function place(element: ArrayElement | null, bit: number, index: number, placing: Placing): void {
  const { satisfied, spots, whole } = placing;
  const spot = spotOf(element, spots, whole);
  spot.present |= bit;
  if (satisfied) spot.found |= bit;
  for (let at = element; at !== null; at = at.array.within) {
    const array = spotOf(at.array, spots, whole);
    array.presentBelow |= bit;
    if (satisfied) array.counts[index] = (array.counts[index] ?? 0) + 1;
  }
}

/** Makes the spot, and those around it, when it is new. */
function spotOf(key: ArrayElement | EventArray | null, spots: Placing['spots'], whole: Spot): Spot {
  if (key === null) return whole;
  const known = spots.get(key);
  if (known !== undefined) return known;
  const spot = newSpot();
  spots.set(key, spot);
  spotOf('array' in key ? key.array : key.within, spots, whole).inner.push(spot);
  return spot;
}

/**
 * More ways than these are not followed. One array has more than one way that matters only when the event spells a path both with dots
 * and without, or when fields may be missing; real events have a few.
 */
const MAX_WAYS = 256;

function waysOf(spot: Spot, known: Known): readonly Way[] {
  let ways: readonly Way[] = [{ found: spot.found, present: spot.present }];
  for (const array of spot.inner) {
    const choices = choicesOf(array, known);
    const next: Way[] = [];
    for (const way of ways) {
      for (const choice of choices) {
        addWay(next, { found: way.found | choice.found, present: way.present | choice.present });
      }
    }
    ways = next;
  }
  return ways;
}

function choicesOf(array: Spot, known: Known): readonly Way[] {
  // What is found nowhere else must be found in the element that is taken.
  let needed = 0;
  for (const [i, total] of known.totals.entries()) {
    if (total > 0 && array.counts[i] === total && (known.required & (1 << i)) !== 0) needed |= 1 << i;
  }
  const choices: Way[] = [];
  if (needed === 0) addWay(choices, { found: 0, present: array.presentBelow });
  for (const element of array.inner) {
    for (const way of waysOf(element, known)) {
      if (way.found !== 0 && (way.found & needed) === needed) addWay(choices, way);
    }
  }
  return choices;
}

/** Adds a way unless another is as good: finds all that it finds, with nothing present that it has not. */
function addWay(ways: Way[], way: Way): void {
  if (ways.length >= MAX_WAYS || ways.some((other) => isAsGood(other, way))) return;
  for (let i = ways.length - 1; i >= 0; i--) if (isAsGood(way, ways[i]!)) ways.splice(i, 1);
  ways.push(way);
}

function isAsGood(a: Way, b: Way): boolean {
  return (a.found & b.found) === b.found && (a.present & ~b.present) === 0;
}
