import { expect, test } from 'vitest';
import { Conditions } from './conditions.ts';
import { filterCases } from './fixtures/filter-cases.ts';
import { readFilter } from './read-filter.ts';
import { WordArena } from './word-arena.ts';

test('paths that nothing asks about any more are gone, with those above them', () => {
  const arena = new WordArena();
  const conditions = new Conditions(arena);
  const fields = filterCases.flatMap(({ filter }) => {
    const reading = readFilter(filter);
    return reading.ok ? reading.clauses.flat() : [];
  });
  const twice = ['b', 'a', 'b', 'a', 'a'].map((text) => ({ kind: 'string', text }) as const);
  const deep = [...fields, { path: 'a.b.c.d', anyOf: [{ kind: 'exists' } as const] }, { path: 'x', anyOf: twice }];
  const records = deep.map((field) => conditions.acquire(field));
  expect(conditions.paths).toBeGreaterThan(10);
  for (const record of records) conditions.release(record);
  expect([conditions.paths, conditions.table.size, conditions.root.children?.size, arena.used]).toEqual([0, 0, 0, 0]);
});

test('lists of the same conditions are one, in whatever order and however often each is said', () => {
  const conditions = new Conditions(new WordArena());
  const listOf = (...texts: string[]) =>
    conditions.acquire({ path: 'x', anyOf: texts.map((text) => ({ kind: 'string', text }) as const) });
  const list = listOf('a', 'b', 'c');
  expect([listOf('c', 'a', 'b'), listOf('b', 'c', 'a', 'b', 'c')]).toEqual([list, list]);
  expect(listOf('a', 'b')).not.toBe(list);
});

test('of lists with wildcards a path knows how much those that are there have', () => {
  const conditions = new Conditions(new WordArena());
  const listOf = (...texts: string[]) =>
    conditions.acquire({
      path: 'x',
      anyOf: [
        { kind: 'except', of: texts.map((text) => ({ kind: 'wildcard', text, wildcard: { literals: [text] } })) },
      ],
    });
  const lists = [listOf('a', 'bb'), listOf('bb', 'a'), listOf('cccc')];
  const { wildcards } = conditions.root.below('x');
  expect(wildcards!.units).toBe(7);
  for (const list of lists.slice(1)) conditions.release(list);
  expect(wildcards!.units).toBe(3);
  conditions.release(lists[0]!);
  expect(wildcards!.units).toBe(0);
});

test('lists that are gone take none of the room of those that are kept', () => {
  const conditions = new Conditions(new WordArena());
  const listOf = (name: string, length: number) =>
    conditions.acquire({
      path: 'x',
      anyOf: Array.from({ length }, (_, i) => ({ kind: 'string', text: `${name}${i}` }) as const),
    });
  const kept = listOf('kept', 2);
  const object = conditions.objectOf(kept);
  for (let i = 0; i < 255; i++) {
    const gone = listOf('gone', 1_000);
    conditions.objectOf(gone);
    conditions.release(gone);
  }
  expect(conditions.objectOf(kept)).toBe(object);
});
