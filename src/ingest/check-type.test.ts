import { expect, test } from 'vitest';
import type { Caller } from '../domain/caller.ts';
import type { Refusal } from '../domain/errors.ts';
import { type CheckBudget, FUEL } from '../event-types/check-budget.ts';
import type { Verdict } from '../event-types/type-rules.ts';
import { acceptEvents } from './accept.ts';
import { acceptEach } from './accept-each.ts';
import { acceptDependencies } from './fixtures/accept-dependencies.ts';
import type { Unit, UnitResult } from './plan-group.ts';
import type { RoutingHolds } from './routing-holds.ts';

const caller: Caller = { kind: 'tenant', actor: 'key', tenant: { num: 1, id: 'one' }, scopes: new Set() };
const raw = [{ value: { type: 'a', data: 1 }, text: '{"type":"a","data":1}' }];
const good = (rulesVersion: bigint): Verdict => ({ rulesVersion, mode: 'enforce', faults: [] });
const bad = (rulesVersion: bigint, mode: Verdict['mode'] = 'enforce'): Verdict => ({
  rulesVersion,
  mode,
  faults: [{ path: 'data', message: 'must be string' }],
});

/** What is known here of the tenant's event types, verdict by verdict as it is read anew, and the version that holds. */
async function accept(verdicts: readonly Verdict[], current: bigint) {
  let known = 0;
  const units: Unit[] = [];
  const told: string[] = [];
  const submit = async (unit: Unit): Promise<UnitResult> => {
    units.push(unit);
    if (unit[0]!.rulesVersion! < current) return { kind: 'types_changed' };
    return { kind: 'accepted', items: [{ id: 'x', status: 'accepted', deliveries: 0 }] };
  };
  let isKnown = true;
  const forget = () => {
    if (isKnown) known++;
    isKnown = false;
  };
  const rules = {
    check: async () => {
      isKnown = true;
      return verdicts[Math.min(known, verdicts.length - 1)]!;
    },
    begin: () => {},
    forget,
    isCurrent: async (_: number, version: bigint) => {
      if (version !== current) forget();
      return version === current;
    },
  };
  let held = 0;
  const duringHold: RoutingHolds['during'] = (tenants, work) => {
    expect([...tenants]).toEqual([1]);
    held++;
    return work();
  };
  const onMisfit = ({ type }: { type: string }) => void told.push(type);
  const dependencies = acceptDependencies(submit, { types: { rules, onMisfit, duringHold } });
  const options = { isBatch: false, caller, idempotencyKey: undefined };
  const status = await acceptEvents(raw, options, dependencies).then(
    () => 202,
    (error: Refusal) => error.status,
  );
  return { status, commits: units.length, held, told };
}

test.each([
  ['good', [good(3n)], 3n, { status: 202, commits: 1, held: 0, told: [] }],
  ['refused by what holds', [bad(3n)], 3n, { status: 422, commits: 0, held: 0, told: [] }],
  ['refused by what held before', [bad(3n), good(4n)], 4n, { status: 202, commits: 1, held: 0, told: [] }],
  ['good by what held before', [good(3n), bad(4n)], 4n, { status: 422, commits: 1, held: 0, told: [] }],
  ['told of', [bad(3n, 'warn')], 3n, { status: 202, commits: 1, held: 0, told: ['a'] }],
  [
    'told of once, by what holds',
    [bad(3n, 'warn'), bad(4n, 'warn')],
    4n,
    { status: 202, commits: 2, held: 0, told: ['a'] },
  ],
  ['told of by what held before', [bad(3n, 'warn'), good(4n)], 4n, { status: 202, commits: 2, held: 0, told: [] }],
  [
    'checked by types that hold still once they are held',
    [good(1n), good(2n), good(3n)],
    3n,
    { status: 202, commits: 3, held: 1, told: [] },
  ],
  [
    'refused by types that hold still once they are held',
    [bad(1n), bad(2n), good(3n)],
    3n,
    { status: 202, commits: 1, held: 1, told: [] },
  ],
  ['checked by types that never hold still', [good(3n)], 4n, { status: 503, commits: 6, held: 4, told: [] }],
] as const)('an event that is %s', async (_, verdicts, current, expected) => {
  expect(await accept(verdicts, current)).toEqual(expected);
});

test('the events of one request share what they may cost to be checked, and those of one batch of a source', async () => {
  const budgets: CheckBudget[] = [];
  const check = (_: unknown, budget: CheckBudget) => {
    budgets.push(budget);
    return good(1n);
  };
  const dependencies = acceptDependencies(async () => ({ kind: 'independent', items: ['conflict', 'conflict'] }), {
    rules: { check },
  });
  const two = [...raw, ...raw];
  await acceptEvents(two, { isBatch: true, caller, idempotencyKey: undefined }, dependencies).catch(() => {});
  const independent = two.map((each) => ({ raw: each, caller, sourceKey: null }));
  await acceptEach(independent, dependencies);
  expect(budgets.map((budget) => budgets.indexOf(budget))).toEqual([0, 0, 2, 2]);
});

test.each([
  ['a request', 1],
  ['a batch of a source', 2],
])(
  'what %s spent in a try that came to nothing is its own in the next, which may spend as much again',
  async (_, spend) => {
    const seen: [number, number][] = [];
    const check = (_: unknown, budget: CheckBudget) => {
      const fuel = budget.of(1);
      seen.push([budget.spent(1), fuel.left]);
      fuel.left -= 1_000 * spend;
      return good(1n);
    };
    let tries = 0;
    const stored: UnitResult =
      spend === 1 ? { kind: 'accepted', items: [] } : { kind: 'independent', items: ['conflict'] };
    const submit = async (): Promise<UnitResult> => (++tries === 1 ? { kind: 'types_changed' } : stored);
    const dependencies = acceptDependencies(submit, { rules: { check } });
    if (spend === 1) {
      await acceptEvents(raw, { isBatch: true, caller, idempotencyKey: undefined }, dependencies);
    } else await acceptEach([{ raw: raw[0]!, caller, sourceKey: null }], dependencies);
    const whole = spend === 1 ? 20 * FUEL : FUEL;
    expect(seen).toEqual([
      [0, whole],
      [1_000 * spend, whole],
    ]);
  },
);

test('what the halves of a batch cost that is cut up is its own', async () => {
  const seen: [number, number][] = [];
  const check = (_: unknown, budget: CheckBudget) => {
    const fuel = budget.of(1);
    seen.push([budget.spent(1), fuel.left]);
    fuel.left -= 1_000;
    return good(1n);
  };
  const submit = async (unit: Unit): Promise<UnitResult> =>
    unit.length > 1 ? { kind: 'too_many_deliveries', weight: 2 } : { kind: 'independent', items: ['conflict'] };
  const dependencies = acceptDependencies(submit, { rules: { check } });
  const two = [...raw, ...raw].map((each) => ({ raw: each, caller, sourceKey: null }));
  await acceptEach(two, dependencies);
  expect(seen).toEqual([
    [0, 2 * FUEL],
    [1_000, 2 * FUEL - 1_000],
    [2_000, FUEL],
    [3_000, FUEL],
  ]);
});
