import { expect, test } from 'vitest';
import { Refusal } from '../domain/errors.ts';
import { checkAtRate } from './check-at-rate.ts';
import { CheckBudget, FUEL } from './check-budget.ts';
import { CheckRate } from './check-rate.ts';
import { compileSchema, type Validation, type Validator } from './compile-schema.ts';
import { CompileTurns } from './compile-turns.ts';
import type { Fuel } from './linear-pattern.ts';

function validator(check: (data: unknown, fuel: Fuel) => Validation): Validator {
  const prepare = () => ({ made: undefined, cost: 0 });
  return Object.assign((data: unknown, fuel: Fuel = { left: FUEL }) => check(data, fuel), { prepare, held: 0 });
}

function setUp() {
  let nowMs = 0;
  const turns = new CompileTurns(new CheckRate(() => nowMs));
  const made: number[] = [];
  /** An event costs what its data says. */
  const validate = validator((data, fuel) => {
    const cost = data as number;
    made.push(cost);
    const isTooCostly = cost > Math.min(FUEL, fuel.left);
    fuel.left -= Math.min(cost, FUEL, fuel.left);
    return isTooCostly ? { kind: 'too_costly' } : { kind: 'valid' };
  });
  const send = async (costs: readonly number[], tenantNum = 1, isRefusing = true, budget = new CheckBudget()) => {
    const kinds: string[] = [];
    try {
      for (const data of costs) {
        kinds.push((await checkAtRate({ tenantNum, data, validate, isRefusing }, budget, turns)).kind);
      }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      kinds.push(`${error.status} ${error.code} in ${error.retryAfterSeconds} s`);
    }
    return kinds;
  };
  return { send, made, pass: (ms: number) => (nowMs += ms) };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const costly = (count: number) => Array<number>(count).fill(FUEL);

test('what the checks of a tenant may cost over time is bounded, over all its requests; others go on, and so do its usual events (G4)', async () => {
  const { send, pass } = setUp();
  expect(await send(costly(20))).toEqual(Array(20).fill('valid'));
  // What it owes is just what it may.
  expect(await send(costly(3))).toEqual(Array(3).fill('valid'));
  expect(await send(costly(1))).toEqual(['429 rate_limited in 1 s']);
  expect(await send([1_000, 40_000])).toEqual(['valid', 'valid']);
  expect(await send(costly(1), 2)).toEqual(['valid']);
  pass(1_000);
  expect(await send(costly(1))).toEqual(['valid']);
});

test('however many requests come, a tenant spends no more in a minute than that is worth', async () => {
  const { send, pass } = setUp();
  const answers: string[] = [];
  for (let ms = 0; ms < 60_000; ms += 100, pass(100)) {
    for (let i = 0; i < 5; i++) answers.push(...(await send(costly(1))));
  }
  const checked = answers.filter((answer) => answer === 'valid').length;
  expect(checked * FUEL).toBeLessThanOrEqual(60 * 20_000_000 + 100_000_000 + FUEL);
  // What is refused has been looked at a little, too.
  expect(checked * FUEL).toBeGreaterThan(50 * 20_000_000);
});

test('nor do many requests side by side, whose first events cost nothing: each is looked at before every event', async () => {
  const { send, made } = setUp();
  const answers = await Promise.all(Array.from({ length: 100 }, () => send([1, ...costly(19)])));
  expect(answers.filter((kinds) => kinds.at(-1)!.startsWith('429')).length).toBeGreaterThan(90);
  const checked = answers.flat().filter((kind) => kind === 'valid').length - 100;
  expect(checked * FUEL).toBeLessThanOrEqual(2 * 100_000_000 + FUEL);
  expect(made.length).toBeLessThan(100 * 20);
});

test('nor do events that cost a little each, however many: usual ones pass as long as there are not thousands of times as many', async () => {
  const { send, pass } = setUp();
  let spent = 0;
  for (let ms = 0; ms < 10_000; ms += 100, pass(100)) {
    for (const cost of [49_999, 800]) {
      const kinds = await send(Array(1_000).fill(cost));
      spent += cost * kinds.filter((kind) => kind === 'valid').length;
      if (cost === 800 && ms === 0) expect(kinds.at(-1)).toBe('valid');
    }
  }
  expect(spent).toBeLessThanOrEqual(10 * 20_000_000 + 2 * 100_000_000 + 100_000_000);
});

test('checks that cost a little each give way to others when they have cost much together in a turn, also those of requests side by side (G4)', async () => {
  const { send, made } = setUp();
  const requests = Array.from({ length: 20 }, () => send(Array(10).fill(49_999)));
  for (let before = 0; made.length < 200; before = made.length) {
    await turn();
    expect(made.length - before).toBeLessThanOrEqual(22);
  }
  expect((await Promise.all(requests)).flat()).toEqual(Array(200).fill('valid'));
});

test('of a batch of a source each message may be costly: none is rejected for its neighbours', async () => {
  const budget = new CheckBudget(30);
  const turns = new CompileTurns();
  const validate = validator((_, fuel) => {
    const isTooCostly = fuel.left < FUEL;
    fuel.left -= Math.min(FUEL, fuel.left);
    return isTooCostly ? { kind: 'too_costly' } : { kind: 'valid' };
  });
  const check = { tenantNum: 1, data: 0, validate, isRefusing: true };
  for (let i = 0; i < 30; i++) expect((await checkAtRate(check, budget, turns)).kind).toBe('valid');
});

test('a batch of a source that would take many seconds is refused after as much again as a request may cost; each of its messages passes by itself, and other requests go on soon (G4)', async () => {
  const { send, pass } = setUp();
  const answers = await send(costly(250), 1, true, new CheckBudget(250));
  expect(answers).toEqual([...Array(40).fill('valid'), 'valid', expect.stringContaining('429 rate_limited in')]);
  pass(10_000);
  for (let i = 0; i < 15; i++) expect(await send(costly(1), 1, true, new CheckBudget(1))).toEqual(['valid']);
});

test('where misfits are only told of, no event is refused because its tenant spent too much', async () => {
  const { send } = setUp();
  await send(costly(20));
  await send(costly(5));
  expect(await send(costly(2), 1, false)).toEqual(['too_costly', 'too_costly']);
});

test('a tenant has one costly check in a turn of the event loop, whatever comes at once; the checks of others wait for none (G4)', async () => {
  const { send, made } = setUp();
  const costs = [FUEL, FUEL - 1, FUEL - 2];
  const requests = costs.map((cost) => send([cost]));
  const other = send([7], 2);
  expect(await other).toEqual(['valid']);
  expect(made).toEqual([FUEL, 7]);
  const seen: number[] = [];
  for (let i = 0; i < 6 && made.length < 4; i++) {
    await turn();
    seen.push(made.length);
  }
  // One more at a time, in the order in which they came.
  expect(seen.every((count, i) => count - (seen[i - 1] ?? 2) <= 1)).toBe(true);
  expect(made).toEqual([FUEL, 7, FUEL - 1, FUEL - 2]);
  expect(await Promise.all(requests)).toEqual([['valid'], ['valid'], ['valid']]);
});

test('an event that has too many values ever to be checked is told so, however much its tenant has spent: it is not to be sent again', async () => {
  const turns = new CompileTurns();
  const validate = compileSchema({ items: { type: 'number' } }, 'data');
  turns.rate.paid(1, 190_000_000);
  const kindOf = async (count: number) => {
    const check = { tenantNum: 1, data: Array(count).fill(1), validate, isRefusing: true };
    return (await checkAtRate(check, new CheckBudget(), turns)).kind;
  };
  expect(await kindOf(300_001)).toBe('too_large');
  await expect(kindOf(4_900)).rejects.toMatchObject({ status: 429 });
  expect(await kindOf(10)).toBe('valid');
});
