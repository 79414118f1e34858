import { expect, test } from 'vitest';
import { Refusal } from '../domain/errors.ts';
import { checkAtRate } from './check-at-rate.ts';
import { CheckBudget, FUEL } from './check-budget.ts';
import { CheckRate, FREE } from './check-rate.ts';
import type { Validator } from './compile-schema.ts';

function setUp() {
  let nowMs = 0;
  const rate = new CheckRate(() => nowMs);
  const made: number[] = [];
  /** An event costs what its data says. */
  const validate: Validator = (data, fuel = { left: FUEL }) => {
    const cost = data as number;
    made.push(cost);
    const isTooCostly = cost > Math.min(FUEL, fuel.left);
    fuel.left -= Math.min(cost, FUEL, fuel.left);
    return isTooCostly ? { kind: 'too_costly' } : { kind: 'valid' };
  };
  const send = async (costs: readonly number[], tenantNum = 1, isRefusing = true) => {
    const budget = new CheckBudget();
    const kinds: string[] = [];
    try {
      for (const data of costs) {
        kinds.push((await checkAtRate({ tenantNum, data, validate, isRefusing }, budget, rate)).kind);
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
  expect(checked * (FUEL - FREE)).toBeLessThanOrEqual(60 * 20_000_000 + 100_000_000 + FUEL);
  expect(checked * FUEL).toBeGreaterThan(60 * 20_000_000);
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
