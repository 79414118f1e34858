import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ExactNumber } from './exact-number.ts';
import { FilterIndex } from './filter-index.ts';
import { readFilter } from './read-filter.ts';
import { type Leaf, satisfies } from './satisfies.ts';

const FILTERS = 300;
const ITEMS = 700;

const letters = fc.string({ unit: fc.constantFrom('a', 'B', 'b', '-', 'ä', 'Ä'), minLength: 1, maxLength: 3 });
const sku = fc.oneof(
  letters,
  fc.tuple(letters, letters).map(([one, other]) => `${one}${other}`),
);
const price = fc.oneof(
  fc.integer({ min: -400, max: 400 }),
  fc.integer({ min: -400, max: 400 }).map((whole) => new ExactNumber(`${whole}.00000000000000000001`)),
  // And on the other side of a whole number.
  fc.integer({ min: -400, max: 400 }).map((whole) => new ExactNumber(`${whole - 1}.99999999999999999999`)),
  fc.constant(null),
);
const item = fc.record({ sku, price }, { requiredKeys: [], noNullPrototype: true });

const affix = fc.oneof(
  letters,
  letters.map((text) => ({ 'equals-ignore-case': text })),
);
const end = fc.oneof(fc.integer({ min: -402, max: 402 }), fc.constantFrom(-400, -399, 399, 400));
const range = fc.oneof(
  fc.tuple(fc.constantFrom('<', '<=', '>', '>='), end),
  fc.tuple(fc.constantFrom('>', '>='), end, fc.constantFrom('<', '<='), fc.integer({ min: 403, max: 405 })),
);
const ofText = fc.oneof(
  fc.record({ prefix: affix }),
  fc.record({ suffix: affix }),
  fc.record({ 'anything-but': fc.record({ prefix: fc.array(letters, { minLength: 1, maxLength: 3 }) }) }),
  fc.record({ 'equals-ignore-case': letters }),
);
const some = (condition: fc.Arbitrary<unknown>) => fc.array(condition, { minLength: 1, maxLength: 2 });
const ofPrice = fc.oneof(fc.record({ numeric: range }), fc.constant(null));
const field = { sku: some(ofText), price: some(ofPrice) };
const filter = fc.oneof(
  fc.record({ sku: field.sku }),
  fc.record({ price: field.price }),
  fc.record(field),
  fc.record({ sku: field.sku, price: fc.tuple(ofPrice, fc.constant({ exists: false })) }),
);

function clauseOf(items: unknown) {
  const reading = readFilter({ type: ['order'], items });
  if (!reading.ok) throw new Error(JSON.stringify(reading.faults));
  return reading.clauses[0]!;
}

type Item = Readonly<Record<string, Leaf>>;

/** Whether one of the items has it all. */
function holds(clause: ReturnType<typeof clauseOf>, items: readonly Item[]): boolean {
  const tests = clause
    .filter(({ path }) => path !== 'type')
    .map((each) => ({ ...each, name: each.path.slice('items.'.length) }));
  // What may be missing is where an item has nothing else of the filter, or where there is none.
  return items.some((one) =>
    tests.every(({ name, anyOf }) => {
      const value = one[name];
      return anyOf.some((condition) =>
        value === undefined ? condition.kind === 'absent' : satisfies(value, condition),
      );
    }),
  );
}

test('of many values in elements of an array hundreds of filters find what each finds by itself', () => {
  let found = 0;
  fc.assert(
    fc.property(
      fc.array(filter, { minLength: FILTERS, maxLength: FILTERS }),
      fc.array(item, { minLength: ITEMS, maxLength: ITEMS }),
      (filters, items) => {
        const index = new FilterIndex();
        const clauses = filters.map(clauseOf);
        for (const [num, clause] of clauses.entries()) index.add(num, clause);
        const wanted = [...clauses.keys()].filter((num) => holds(clauses[num]!, items as Item[]));
        const matched = index.match({ type: 'order', items });
        expect(matched).toEqual(wanted);
        found += matched.length;
      },
    ),
    { numRuns: 20, endOnFailure: true },
  );
  expect(found).toBeGreaterThan(1_000);
});
