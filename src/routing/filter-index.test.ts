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

function indexOf(filters: readonly unknown[]): FilterIndex {
  const index = new FilterIndex();
  for (const [num, filter] of filters.entries()) for (const clause of clausesOf(filter)) index.add(num, clause);
  return index;
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

test('an event that satisfies more conditions than any before finds what all of them lead to', () => {
  const index = indexOf(upTo(100).map((i) => ({ [`f${i}`]: ['v'] })));
  const event = (count: number) => Object.fromEntries(upTo(count).map((i) => [`f${i}`, 'v']));
  for (const count of [1, 16, 17, 40, 100, 3]) expect(index.match(event(count))).toEqual(upTo(count));
});

test('of thousands of values none is passed over', () => {
  const index = indexOf(upTo(50).map((i) => ({ x: [`v${i * 100}`] })));
  expect(index.match({ x: upTo(5_000).map((i) => `v${i}`) })).toEqual(upTo(50));
});

test('wildcards are asked of each text in which their literals are', () => {
  const starting = upTo(10).map((i) => ({ x: [{ wildcard: `a${i}*z` }] }));
  const index = indexOf([...starting, ...upTo(10).map((i) => ({ y: [{ wildcard: `*b${i}*z` }] }))]);
  expect(index.match({ x: 'a3-z', y: '-b4-z' })).toEqual([3, 14]);
  expect(index.match({ x: 'a3-', y: '-b4-z' })).toEqual([14]);
  expect(index.match({ x: ['a3-', 'a3-z'], y: ['b4-', '-b4-z', '-b4-'] })).toEqual([3, 14]);
  expect(index.match({ x: ['a3-z', 'a5-'], y: ['b4', 'b5'] })).toEqual([3]);
});

test('wildcards that are found by the same literal stay when others of them go', () => {
  const index = new FilterIndex();
  const clauses = upTo(20).map((i) => index.add(i, clausesOf({ x: [{ wildcard: `abc*${i}` }] })[0]!));
  const left = new Set(upTo(20));
  for (const gone of [0, 10, 19, 5, 18, 1]) {
    index.remove(clauses[gone]!);
    left.delete(gone);
    for (const i of left) expect(index.match({ x: `abc-x${i}` })).toContain(i);
  }
});

test('a wildcard that takes long where it is written is asked another way', () => {
  const index = indexOf(upTo(10).map((i) => ({ x: [{ wildcard: `*${'a'.repeat(500)}b*${i}` }] })));
  expect(index.match({ x: `${'a'.repeat(50_000)}b-7` })).toEqual([7]);
});
