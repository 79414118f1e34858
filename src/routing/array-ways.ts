import type { Spot } from './array-spot.ts';
import { matchSteps } from './match-steps.ts';

/**
 * What a choice of elements must come to; tests of the clause are bits. Each required test must be satisfied by what is chosen. Each
 * optional one, which allows absence, must be satisfied, or its field must have no value there.
 */
export interface Wanted {
  readonly required: number;
  readonly optional: number;
}

/** Whether elements can be chosen, at most one of each array, so that all that is wanted holds. */
export function hasWay(whole: Spot, wanted: Wanted): boolean {
  const { required, optional } = wanted;
  const ways = waysOf(whole, -1, wanted);
  for (let i = 0; i < ways.length; i += 2) {
    const settled = ways[i]! | (optional & ~ways[i + 1]!);
    if ((settled & (required | optional)) === (required | optional)) return true;
  }
  return false;
}

/**
 * What the possible choices of elements come to. Each is two numbers, one after the other: the bits of the tests that are satisfied, and
 * the bits of the optional tests whose field has a value.
 */
type Ways = number[];

/**
 * Ways beyond these are dropped. An array has more than one way that matters only when the event spells a path both with dots and without,
 * or when fields may be missing; in real events it has a few.
 */
const MAX_WAYS = 256;

/** @param lone tests that nothing outside the spot satisfies */
function waysOf(spot: Spot, lone: number, wanted: Wanted): Ways {
  let ways: Ways = [spot.found, spot.present];
  let once = 0;
  let twice = spot.found;
  for (let array = spot.inner; array !== null; array = array.next) {
    twice |= once & array.foundBelow;
    once |= array.foundBelow;
  }
  for (let array = spot.inner; array !== null; array = array.next) {
    const choices = choicesOf(array, lone & ~twice & (array.foundBelow | ~once), wanted);
    const next: Ways = [];
    for (let i = 0; i < ways.length; i += 2) {
      for (let j = 0; j < choices.length; j += 2) addWay(next, ways[i]! | choices[j]!, ways[i + 1]! | choices[j + 1]!);
    }
    ways = next;
  }
  return ways;
}

function choicesOf(array: Spot, lone: number, wanted: Wanted): Ways {
  // A required test that only this array satisfies must be satisfied by the element that is chosen. An optional test that nothing outside
  // satisfies must be satisfied by it too, or have no value there.
  const needed = lone & wanted.required & array.foundBelow;
  const absent = lone & wanted.optional;
  const choices: Ways = [];
  if (needed === 0 && (absent & array.presentBelow) === 0) addWay(choices, 0, array.presentBelow);
  for (let element = array.inner; element !== null; element = element.next) {
    matchSteps.take(2);
    if (element.foundBelow === 0 || (needed & ~element.foundBelow) !== 0) continue;
    const ways = element.inner === null ? [element.found, element.present] : waysOf(element, lone, wanted);
    for (let i = 0; i < ways.length; i += 2) {
      const found = ways[i]!;
      const present = ways[i + 1]!;
      if (found !== 0 && (needed & ~found) === 0 && (absent & present & ~found) === 0) addWay(choices, found, present);
    }
  }
  return choices;
}

/**
 * Adds a way, unless there is one that is as good: it satisfies all the same tests, and has values for no further ones. Drops the ways that
 * the new one is as good as.
 */
function addWay(ways: Ways, found: number, present: number): void {
  matchSteps.take(1 + (ways.length >>> 3));
  for (let i = 0; i < ways.length; i += 2) if ((found & ~ways[i]!) === 0 && (ways[i + 1]! & ~present) === 0) return;
  if (ways.length >= MAX_WAYS * 2) return;
  let kept = 0;
  for (let i = 0; i < ways.length; i += 2) {
    if ((ways[i]! & ~found) === 0 && (present & ~ways[i + 1]!) === 0) continue;
    ways[kept++] = ways[i]!;
    ways[kept++] = ways[i + 1]!;
  }
  ways.length = kept;
  ways.push(found, present);
}
