import type { IndexedTest } from './indexed-test.ts';
import type { EventArray } from './path-node.ts';

let rounds = 0;

/**
 * Whether tests that hold one by one also hold together, for the case that is easy to answer: all elements of arrays are of one array, and
 * no test allows absence. Each element notes the round in which it was last found good, so that no object is made for any of them.
 * @returns null when it is not so easy
 */
export function holdInOneElement(tests: readonly IndexedTest[]): boolean | null {
  if (!isOneArray(tests)) return null;
  let isFirst = true;
  for (const test of tests) {
    if (test.path.inArrays === 0 || isFoundOutside(test)) continue;
    if (!isFoundAgain(test, isFirst)) return false;
    isFirst = false;
  }
  return true;
}

function isOneArray(tests: readonly IndexedTest[]): boolean {
  let array: EventArray | null = null;
  for (const { path, allowsAbsence } of tests) {
    if (allowsAbsence) return false;
    if (path.inArrays === 0) continue;
    for (const element of path.elements) {
      if (element === null) continue;
      array ??= element.array;
      if (element.array !== array) return false;
    }
  }
  return true;
}

/** Whether a value in no array satisfies the test: then its elements do not matter. */
function isFoundOutside(test: IndexedTest): boolean {
  const { elements, inArrays, values } = test.path;
  return inArrays < values.length && values.some((value, i) => elements[i] === null && test.satisfiedBy(value));
}

/** Whether some element that was good for the tests before is good for this one too. */
function isFoundAgain(test: IndexedTest, isFirst: boolean): boolean {
  const before = rounds++;
  const { elements, values } = test.path;
  let isFound = false;
  for (let i = 0; i < values.length; i++) {
    const element = elements[i]!;
    if (element === null || (!isFirst && element.round !== before) || !test.satisfiedBy(values[i]!)) continue;
    element.round = rounds;
    isFound = true;
  }
  return isFound;
}
