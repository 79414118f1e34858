import { expect, test } from 'vitest';
import { FilterIndex } from './filter-index.ts';
import { filterCases } from './fixtures/filter-cases.ts';
import { readFilter } from './read-filter.ts';

function clausesOf(filter: unknown) {
  const reading = readFilter(filter);
  return reading.ok ? reading.clauses : [];
}

/** Puts many filters in, and takes them out again. */
function fillAndEmpty(index: FilterIndex, round: number): void {
  const filters = filterCases.map(({ filter }) => filter);
  const distinct = Array.from({ length: 200 }, (_, i) => ({
    [`p${round}.${i}`]: [`v${i}`],
    n: [{ numeric: ['>', i] }],
  }));
  const clauses = [...filters, ...distinct].flatMap(clausesOf).map((clause, num) => index.add(num, clause));
  expect(index.size).toBe(clauses.length);
  for (const clause of clauses) index.remove(clause);
}

test('what is taken out of an index leaves nothing behind', () => {
  const index = new FilterIndex();
  const empty = index.bytes;
  for (let round = 0; round < 3; round++) fillAndEmpty(index, round);
  expect(index.size).toBe(0);
  expect(index.bytes).toBe(empty);
});

test('owners come in rising order, each once, whoever was added first', () => {
  const index = new FilterIndex();
  for (const num of [30, 4, 100, 4])
    for (const clause of clausesOf({ $or: [{ a: [1] }, { b: [1] }] })) index.add(num, clause);
  expect(index.match({ a: 1, b: 1 })).toEqual([4, 30, 100]);
});
