import { ArrayConsistency } from './array-consistency.ts';
import type { Clause, FieldTest } from './condition.ts';
import { describeConditions } from './describe-condition.ts';
import { ExactNumber } from './exact-number.ts';
import { explainCost, MAX_STEPS, TooManySteps } from './explain-cost.ts';
import { IndexedTest } from './indexed-test.ts';
import { PathNode } from './path-node.ts';
import { readFields } from './read-fields.ts';
import type { Leaf } from './satisfies.ts';
import { textNotes } from './text-notes.ts';

export interface Failure {
  /** The field, names joined by dots. */
  readonly path: string;
  readonly expected: string;
  /** What the event has there, as JSON; a few of many. */
  readonly found: readonly string[];
}

const free = (): void => {};

/**
 * Why an event does not match; empty when it does. Of several clauses, of which one would suffice, it explains the one with the fewest
 * failures.
 * @param pay is told how many steps it takes, before any is made, and may throw
 * @throws TooManySteps where it would take more than `MAX_STEPS`
 */
export function explainMatch(
  clauses: readonly Clause[],
  event: unknown,
  pay: (steps: number) => void = free,
): readonly Failure[] {
  const root = new PathNode(null, '');
  const tested = clauses.map((clause) => clause.map((field) => ({ path: field.path, test: testOf(root, field) })));
  readFields(event, root, 1);
  const steps = explainCost(tested.flatMap((clause) => clause.map(({ test }) => test)));
  if (steps > MAX_STEPS) throw new TooManySteps();
  pay(steps);
  const arrays = new ArrayConsistency(1);
  try {
    const failures = tested.map((clause) => failuresOf(clause, arrays));
    return failures.reduce((least, next) => (next.length < least.length ? next : least));
  } finally {
    textNotes.forget();
  }
}

function testOf(root: PathNode, { path, anyOf }: FieldTest): IndexedTest {
  const node = root.below(path);
  node.uses++;
  return new IndexedTest(node, anyOf);
}

function failuresOf(
  clause: readonly { readonly path: string; readonly test: IndexedTest }[],
  arrays: ArrayConsistency,
): readonly Failure[] {
  const failed = clause.filter(({ test }) => !test.holds(1));
  const failures = failed.map(({ path, test }) => ({
    path,
    expected: describeConditions(test.anyOf),
    found: foundAt(test.path),
  }));
  const tests = clause.map(({ test }) => test);
  if (failures.length > 0 || arrays.holdTogether(tests)) return failures;
  const scattered = clause.filter(({ test }) => test.path.seq === 1 && test.path.inArrays > 0);
  return scattered.map(({ path, test }) => ({
    path,
    expected: `${describeConditions(test.anyOf)}, in the same element of the array as the other fields`,
    found: foundAt(test.path),
  }));
}

const SHOWN = 5;

function foundAt(path: PathNode): readonly string[] {
  return path.seq === 1 ? path.values.slice(0, SHOWN).map(jsonOf) : [];
}

function jsonOf(value: Leaf): string {
  const text = value instanceof ExactNumber ? value.text : JSON.stringify(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
