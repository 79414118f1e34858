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
  const deep = [...fields, { path: 'a.b.c.d', anyOf: [{ kind: 'exists' } as const] }];
  const records = deep.map((field) => conditions.acquire(field));
  expect(conditions.paths).toBeGreaterThan(10);
  for (const record of records) conditions.release(record);
  expect([conditions.paths, conditions.table.size, conditions.root.children?.size, arena.used]).toEqual([0, 0, 0, 0]);
});
