import { expect, test } from 'vitest';
import { CastBudget } from './cast-budget.ts';

const COSTLY = 300_000;

function setUp() {
  let now = 0;
  const budget = new CastBudget(() => now);
  const spend = (tenantNum: number, cost: number) => {
    const wait = budget.waitMs(tenantNum);
    if (wait === 0) budget.paid(tenantNum, cost);
    return wait === 0;
  };
  return { budget, spend, pass: (ms: number) => (now += ms) };
}

test('within a second no tenant has more than its part, and all together no more than theirs, however many casts they want', () => {
  for (const [tenants, most] of [
    [1, 10_000_000],
    [20, 14_000_000],
  ] as const) {
    const { spend, pass } = setUp();
    let spent = 0;
    for (let ms = 0; ms < 1_000; ms++, pass(1)) {
      for (let i = 0; i < 50; i++) if (spend(1 + ((ms + i) % tenants), COSTLY)) spent += COSTLY;
    }
    expect(spent).toBeLessThanOrEqual(most + 100_000 + COSTLY);
    expect(spent).toBeGreaterThan(0.9 * most);
  }
});

test('after a costly cast the event loop is left to others before the next one, whoever wants it', () => {
  const { spend, budget } = setUp();
  expect([1, 1, 2, 3].map((tenantNum) => spend(tenantNum, COSTLY))).toEqual([true, false, false, false]);
  // Its own waits longer than those of others.
  expect(budget.waitMs(1)).toBeGreaterThan(budget.waitMs(2));
  expect(budget.waitMs(2)).toBeGreaterThan(0);
});

test('casts of ordinary events wait for nothing', () => {
  const { spend, pass } = setUp();
  for (let ms = 0; ms < 1_000; ms++, pass(1)) for (let i = 0; i < 20; i++) expect(spend(1, 300)).toBe(true);
});

test('whose casts were short does not wait for what others owe, as long as they are', () => {
  const { budget, spend, pass } = setUp();
  // Of the first cast of a tenant nobody knows what it will cost.
  expect([spend(2, COSTLY), spend(1, 300)]).toEqual([true, false]);
  pass(30);
  expect([spend(1, 300), spend(2, COSTLY)]).toEqual([true, true]);
  for (let ms = 0; ms < 1_000; ms++, pass(1)) {
    spend(2 + (ms % 3), COSTLY);
    for (let i = 0; i < 10; i++) expect(spend(1, 300)).toBe(true);
  }
  budget.paid(1, COSTLY);
  pass(50);
  spend(2, COSTLY);
  expect(spend(1, 300)).toBe(false);
});

test('tenants whose casts are short in between have no more of all for it', () => {
  const { spend, pass } = setUp();
  let spent = 0;
  for (let ms = 0; ms < 1_000; ms++, pass(1)) {
    for (let i = 0; i < 50; i++) {
      const cost = ms % 2 === 0 ? 300 : COSTLY;
      if (spend((ms + i) % 200, cost)) spent += cost;
    }
  }
  expect(spent).toBeLessThanOrEqual(14_000_000 + 100_000 + COSTLY);
});
