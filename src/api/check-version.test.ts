import { expect, test, vi } from 'vitest';
import { CheckRate } from '../event-types/check-rate.ts';
import { CompileTurns } from '../event-types/compile-turns.ts';
import { SchemaDesk } from '../event-types/schema-desk.ts';
import type { EventTypeVersion } from '../store/event-types.ts';
import { checkVersion } from './check-version.ts';

const schema = { properties: { a: { type: 'string' } } };

function registered(minor: number): EventTypeVersion {
  const times = { createdAt: new Date(0), updatedAt: new Date(0) };
  const texts = { schema: JSON.stringify(schema), example: null, casts: null, description: '' };
  return { major: 1, minor, patch: 0, state: 'active', ...texts, ...times };
}

test('others get the event loop between two comparisons with versions that are there', async () => {
  let turns = 0;
  let isDone = false;
  const count = () => {
    if (isDone) return;
    turns++;
    setImmediate(count);
  };
  setImmediate(count);
  const others = Array.from({ length: 20 }, (_, minor) => registered(minor));
  await checkVersion({ major: 1, minor: 30, patch: 0 }, { schema }, others, new SchemaDesk(new CompileTurns(), 1));
  isDone = true;
  expect(turns).toBeGreaterThanOrEqual(19);
});

const large = {
  properties: Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`n${i}`, { pattern: `^a${i}$` }])),
};

test('what is done with the schemas of a call is charged to its tenant, and refused once others have spent too much; its own is not held against it (G4)', async () => {
  const turns = new CompileTurns();
  const paid = vi.spyOn(turns.rate, 'paid');
  const others = Array.from({ length: 30 }, (_, minor) => registered(minor));
  const register = (tenantNum: number) =>
    checkVersion(
      { major: 1, minor: 30, patch: 0 },
      { schema, example: { a: 'x' } },
      others,
      new SchemaDesk(turns, tenantNum),
    );
  await register(1);
  // Read, compiled, checked, and compared with each.
  expect(paid.mock.calls.filter(([tenantNum, cost]) => tenantNum === 1 && cost > 0)).toHaveLength(3 + 30);
  const desk = new SchemaDesk(turns, 2);
  for (let i = 0; i < 200; i++) await desk.compare(large, { ...large, minProperties: 1 });
  await expect(register(2)).rejects.toMatchObject({ status: 429, code: 'rate_limited' });
  await desk.compile(schema, 'data');
  await register(1);
});

test('a version comes to its end whatever it costs itself, with casts that are checked after many comparisons (G4)', async () => {
  const turns = new CompileTurns(new CheckRate(() => 0));
  const paid = vi.spyOn(turns.rate, 'paid');
  const desk = new SchemaDesk(turns, 1);
  for (let i = 0; i < 300; i++) await desk.compare(large, { ...large, minProperties: 1 });
  const others = [{ ...registered(0), example: JSON.stringify({ a: 'x' }) }];
  const input = {
    schema: { properties: { b: { maxLength: 9 } } },
    example: { b: 'y' },
    casts: { from: '1.x', renames: { a: 'b' } },
  };
  await expect(checkVersion({ major: 2, minor: 0, patch: 0 }, input, others, desk)).resolves.toMatchObject({});
  // Of events' requests no more than that is their own.
  expect(paid.mock.calls.reduce((sum, [, cost]) => sum + cost, 0)).toBeGreaterThan(200_000_000);
  await expect(turns.take(1, () => ({ made: 0, cost: 0 }))).rejects.toMatchObject({ status: 429 });
});

test('to cast the examples of a version takes turns and is paid for, also where it would be too much (G4)', async () => {
  const turns = new CompileTurns(new CheckRate(() => 0));
  const paid = vi.spyOn(turns.rate, 'paid');
  const items = Array.from({ length: 1_000 }, () => ({ a: 1 }));
  const others = [{ ...registered(0), example: JSON.stringify({ items }) }];
  const register = (defaults: object) =>
    checkVersion(
      { major: 2, minor: 0, patch: 0 },
      { schema: {}, casts: { from: '1.x', defaults } as never },
      others,
      new SchemaDesk(turns, 1),
    );
  await register({ 'items.[].b': 1 });
  // Read, cast, compiled and checked: each in its turn.
  const costs = paid.mock.calls.map(([, cost]) => cost);
  expect(costs).toHaveLength(4);
  expect(costs[1]).toBeGreaterThan(3 * items.length);
  await expect(register({ 'items.[].b': 'x'.repeat(1_000) })).rejects.toMatchObject({ status: 422 });
  expect(paid.mock.calls.map(([, cost]) => cost).slice(4)).toEqual([costs[0], expect.any(Number)]);
  expect(paid.mock.lastCall![1]).toBeGreaterThan(0);
});

test('a version whose casts are wrong by themselves is refused before its schema is compiled', async () => {
  const turns = new CompileTurns();
  const compile = vi.spyOn(turns, 'compile');
  const input = { schema: large, example: {}, casts: { from: '7.x' } };
  const check = checkVersion({ major: 2, minor: 0, patch: 0 }, input, [registered(0)], new SchemaDesk(turns, 1));
  await expect(check).rejects.toMatchObject({ status: 422, faults: [{ path: 'casts.from' }] });
  expect(compile).not.toHaveBeenCalled();
});
