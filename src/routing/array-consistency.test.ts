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
const element = object({ ...leaves, f: innermost, 'f.x': value });
const event = object({ x: value, y: value, e: list(fc.oneof(element, list(element))), 'e.f': innermost });

/** As if the event were a large one: nothing is decided by what is only done for small ones. */
function matchesAsLarge(filter: unknown, given: unknown): boolean {
  const reading = readFilter(filter);
  if (!reading.ok) throw new Error(JSON.stringify(reading.faults));
  const root = new PathNode(null, '');
  const tests = reading.clauses[0]!.map((field) => {
    const node = root.below(field.path);
    node.uses++;
    return new IndexedTest(node, field.anyOf);
  });
  readFields(given, root, 1);
  return tests.every((one) => one.holds(1)) && new ArrayConsistency(1, 0).holdTogether(tests);
}

test('of arrays in arrays, whose paths are spelt in more ways than one, the answer is that of trying every choice of elements', () => {
  let matches = 0;
  fc.assert(
    fc.property(filters, event, (all, given) => {
      for (const filter of all) {
        const expected = referenceMatch(filter, JSON.stringify(given));
        const found = matchesAsLarge(filter, given);
        expect([filter, given, found]).toEqual([filter, given, expected]);
        if (found) matches++;
      }
    }),
    { numRuns: 500 },
  );
  expect(matches).toBeGreaterThan(200);
});
