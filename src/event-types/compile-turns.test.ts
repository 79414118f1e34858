import { expect, test, vi } from 'vitest';
import type { Refusal } from '../domain/errors.ts';
import { CheckBudget } from './check-budget.ts';
import { CheckRate } from './check-rate.ts';
import { compileCost } from './compile-cost.ts';
import { CompileTurns } from './compile-turns.ts';
import { TypeRules } from './type-rules.ts';

const values = (count: number) => Array.from({ length: count }, (_, i) => i);
const named = <T>(count: number, of: (i: number) => T) =>
  Object.fromEntries(values(count).map((i) => [`n${i}`, of(i)]));

/** One that takes a twentieth of a second, and is short enough to be registered. */
const large = (i: number) => ({
  title: `${i}`,
  properties: named(480, () => ({ type: 'string', maxLength: 20, minLength: 1 })),
});

/** Types that all have a large schema in each of 16 versions. */
function setUp(validation: 'enforce' | 'warn' = 'enforce') {
  let nowMs = 0;
  const reads: string[] = [];
  const versions = values(16).map((minor) => ({ major: 1, minor, patch: 0, state: 'active' as const }));
  const turns = new CompileTurns(new CheckRate(() => nowMs));
  const rules = new TypeRules({
    load: async () => ({ version: 1n, types: [{ num: 1, type: 'pay', validation, versions }] }),
    loadVersion: async () => 1n,
    loadSchema: async (tenantNum, _, { minor }) => {
      reads.push(`${tenantNum}/${minor}`);
      return JSON.stringify(large(minor));
    },
    turns,
    capacity: { tenants: 10, validators: 2, heldBytes: 50_000_000 },
  });
  const send = async (tenantNum: number, minor: number, data: unknown = {}, budget = new CheckBudget()) => {
    const event = { tenantNum, type: 'pay', version: `1.${minor}`, data };
    try {
      const { faults } = await rules.check(event, budget);
      return faults.length === 0 ? 'valid' : faults[0]!.message;
    } catch (error) {
      const { status, code, retryAfterSeconds } = error as Refusal;
      return `${status} ${code} in ${retryAfterSeconds} s`;
    }
  };
  return { turns, reads, send, pass: (ms: number) => (nowMs += ms) };
}

test('a tenant that goes through more large schemas than are kept is refused once they have taken its share, before one is read; others are not (G4)', async () => {
  const { reads, send, pass } = setUp();
  const answers: string[] = [];
  const budget = new CheckBudget();
  for (let i = 0; i < 1_000; i++) answers.push(await send(1, i % 16, {}, budget));
  expect(reads.length * compileCost(large(0))).toBeLessThan(100_000_000 + 2 * compileCost(large(0)));
  expect(new Set(answers.slice(reads.length))).toEqual(new Set(['valid', '429 rate_limited in 1 s']));
  expect(answers.filter((answer) => answer === 'valid').length).toBeLessThan(200);
  expect(await send(2, 0)).toBe('valid');
  pass(1_000);
  expect(await send(1, 0)).toBe('valid');
});

test('where misfits are only told of, an event whose schema would have to be compiled once too often is such', async () => {
  const { turns, reads, send } = setUp('warn');
  turns.rate.paid(1, 100_000_001);
  expect(await send(1, 0)).toContain('to be checked against the schema');
  expect(reads).toEqual([]);
  expect(await send(2, 0)).toBe('valid');
});

test('schemas of tenants are compiled in turn: of however many that one waits for, another waits for one (G4)', async () => {
  const { turns } = setUp();
  const order: string[] = [];
  const compile = (tenantNum: number, i: number) =>
    turns.compile(tenantNum, { title: `${i}` }, 'data').then(() => order.push(`${tenantNum}/${i}`));
  const all = [...values(100).map((i) => compile(1, i)), compile(2, 0), compile(2, 1), compile(3, 0)];
  await Promise.all(all);
  expect(order.slice(0, 7)).toEqual(['1/0', '2/0', '3/0', '1/1', '2/1', '1/2', '1/3']);
});

test('what calls spend apart refuses no event of their tenant, nor the other way round; the turns are the same (G4)', async () => {
  const { turns, send } = setUp();
  const calls = turns.apart(new CheckRate(() => 0));
  calls.rate.paid(1, 2_000_000_000);
  turns.rate.paid(2, 2_000_000_000);
  await expect(calls.compile(1, large(0), 'data')).rejects.toMatchObject({ status: 429 });
  expect([await send(1, 0), await send(2, 0)]).toEqual(['valid', '429 rate_limited in 95 s']);
  const order: string[] = [];
  const take = (by: CompileTurns, tenantNum: number, made: string) =>
    by.take(tenantNum, () => ({ made, cost: 0 })).then((each) => order.push(each));
  await Promise.all([
    take(turns, 1, 'event'),
    take(turns, 1, 'next event'),
    take(calls, 2, 'call'),
    take(calls, 2, 'next call'),
  ]);
  expect(order).toEqual(['event', 'call', 'next event', 'next call']);
});

test('what waits for its turn is refused when its tenant has spent too much by then', async () => {
  const { turns } = setUp();
  const make = () => ({ made: 'made', cost: 60_000_000 });
  const found = await Promise.allSettled([1, 1, 1, 2].map((tenantNum) => turns.take(tenantNum, make)));
  expect(found.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
  expect(found[2]).toMatchObject({ reason: { status: 429, retryAfterSeconds: 1 } });
});

test('what a schema is compiled to for large values is made once, when somebody waits for it in its turn, and charged', async () => {
  const { turns, send } = setUp();
  const paid = vi.spyOn(turns.rate, 'paid');
  const compiled = () => paid.mock.calls.filter(([, cost]) => cost === compileCost(large(0))).length;
  const many = named(5_000, () => 1);
  expect(await send(1, 0)).toBe('valid');
  expect(compiled()).toBe(1);
  const answers = await Promise.all([1, 2, 3].map(() => send(1, 0, many)));
  expect(answers).toEqual(Array(3).fill('must be string'));
  expect(compiled()).toBe(2);
});
