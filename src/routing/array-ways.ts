import type { Spot } from './array-spot.ts';
import { matchSteps } from './match-steps.ts';

/** What must be found, and what may be missing where nothing is present; tests of the clause as bits. */
export interface Wanted {
  readonly required: number;
  readonly optional: number;
}

/** Whether elements can be chosen, one at most of each array, so that all that is wanted is found, or missing where it may be. */
export function hasWay(whole: Spot, wanted: Wanted): boolean {
  const { required, optional } = wanted;
  const ways = waysOf(whole, -1, wanted);
  for (let i = 0; i < ways.length; i += 2) {
    const settled = ways[i]! | (optional & ~ways[i + 1]!);
    if ((settled & (required | optional)) === (required | optional)) return true;
  }
  return false;
}

/** What choices of elements come to: of each the bits found, then those present. */
type Ways = number[];

/**
 * More ways than these are not followed. One array has more than one way that matters only when the event spells a path both with dots
 * and without, or when fields may be missing; real events have a few.
 */
const MAX_WAYS = 256;

/** @param lone tests that nothing outside satisfies */
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
  // What is found nowhere else must be found in the element that is taken, and what may be missing must be missing there.
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

/** Adds a way unless another is as good: finds all that it finds, with nothing present that it has not. */
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
