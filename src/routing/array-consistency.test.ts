import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ArrayConsistency } from './array-consistency.ts';
import { referenceMatch } from './fixtures/reference-match.ts';
import { IndexedTest } from './indexed-test.ts';
import { PathNode } from './path-node.ts';
import { readFields } from './read-fields.ts';
import { readFilter } from './read-filter.ts';

const value = fc.constantFrom('a', 'b', 1, 2);
const condition = fc.oneof(
  { weight: 6, arbitrary: value },
  fc.constantFrom<unknown>(
    { exists: false },
    { exists: true },
    { 'anything-but': 'a' },
    { prefix: 'a' },
    { numeric: ['>', 1] },
  ),
);
const path = fc.constantFrom('x', 'y', 'e.x', 'e.y', 'e.z', 'e.f.x', 'e.f.y', 'e.f.z');
const filters = fc.array(
  fc.dictionary(path, fc.array(condition, { minLength: 1, maxLength: 2 }), {
    minKeys: 2,
    maxKeys: 5,
    noNullPrototype: true,
  }),
  { minLength: 12, maxLength: 12 },
);

const object = (inner: Readonly<Record<string, fc.Arbitrary<unknown>>>) =>
  fc.record(inner, { requiredKeys: [], noNullPrototype: true });
const list = (one: fc.Arbitrary<unknown>) => fc.array(one, { maxLength: 4 });
const leaves = { x: value, y: value, z: value };
const innermost = list(fc.oneof(object(leaves), list(object(leaves)), value));
const element = object({ ...leaves, f: innermost });
const event = object({ x: value, y: value, e: list(fc.oneof(element, list(element))) });

/** As if the event were a large one: nothing is decided by what is only done for small ones. All filters share what is found out. */
function matchAsLarge(all: readonly unknown[], given: unknown): boolean[] {
  const root = new PathNode(null, '');
  const clauses = all.map((filter) => {
    const reading = readFilter(filter);
    if (!reading.ok) throw new Error(JSON.stringify(reading.faults));
    return reading.clauses[0]!.map(({ path: names, anyOf }) => {
      const node = root.below(names);
      node.uses++;
      return new IndexedTest(node, anyOf);
    });
  });
  readFields(given, root, 1);
  const arrays = new ArrayConsistency(1, 0);
  return clauses.map((tests) => tests.every((one) => one.holds(1)) && arrays.holdTogether(tests));
}

/** The same filter, and with each field as one that may be missing: these ask for the same values. */
function alsoWithAbsence(filter: Readonly<Record<string, readonly unknown[]>>): unknown[] {
  const names = Object.keys(filter);
  return [filter, ...names.map((one) => ({ ...filter, [one]: [...filter[one]!, { exists: false }] }))];
}

test('of arrays in arrays the answer is that of trying every choice of elements', () => {
  let matches = 0;
  fc.assert(
    fc.property(filters, event, (some, given) => {
      const all = some.flatMap(alsoWithAbsence);
      const found = matchAsLarge(all, given);
      for (const [i, filter] of all.entries()) {
        const expected = referenceMatch(filter, JSON.stringify(given));
        expect([filter, given, found[i]]).toEqual([filter, given, expected]);
        if (expected) matches++;
      }
    }),
    { numRuns: 500 },
  );
  expect(matches).toBeGreaterThan(200);
});
