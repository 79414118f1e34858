import { expect, test } from 'vitest';
import { CheckBudget } from './check-budget.ts';
import { type LoadedRules, TypeRules } from './type-rules.ts';

const version = (major: number, state: 'active' | 'archived' = 'active') => ({ major, minor: 0, patch: 0, state });
const rulesOf = (at: bigint, ...types: LoadedRules['types']): LoadedRules => ({ version: at, types });
const pay = { num: 1, type: 'pay', validation: 'enforce' as const, versions: [version(1)] };
const event = (data: unknown, text = '1.0') => ({ tenantNum: 1, type: 'pay', version: text, data });

function desk(first: LoadedRules | null, schema = '{"type":"string"}', { validators = 2, schemaLength = 40 } = {}) {
  const loads: string[] = [];
  const state = { rules: first };
  const rules = new TypeRules({
    load: async (num) => {
      loads.push(`rules ${num}`);
      return state.rules;
    },
    loadVersion: async (num) => {
      loads.push(`version ${num}`);
      return state.rules?.version ?? 0n;
    },
    loadSchema: async (tenantNum, num, { major }) => {
      loads.push(tenantNum === 1 ? `schema ${num}@${major}` : `schema of ${tenantNum}`);
      return schema;
    },
    capacity: { tenants: 2, validators, schemaLength },
  });
  return { rules, loads, state };
}

test('a tenant without event types is read once, and its data is not looked at', async () => {
  const { rules, loads } = desk(rulesOf(0n));
  const unread = {
    ...event(null),
    get data() {
      return expect.fail('the data was read');
    },
  };
  for (let i = 0; i < 3; i++) expect(await rules.check(unread)).toEqual({ rulesVersion: 0n, mode: 'off', faults: [] });
  expect(loads).toEqual(['rules 1']);
});

test('rules and schemas are read once by all who ask at the same time, and kept', async () => {
  const { rules, loads } = desk(rulesOf(3n, pay));
  const verdicts = await Promise.all(['x', 1, 'y'].map((data) => rules.check(event(data))));
  expect(verdicts.map(({ faults }) => faults.length)).toEqual([0, 1, 0]);
  expect(verdicts[0]).toMatchObject({ rulesVersion: 3n, mode: 'enforce' });
  await rules.check(event('z', '1.0.0'));
  expect(loads).toEqual(['rules 1', 'schema 1@1']);
});

test('rules that are no longer current are read again, and their schemas are not', async () => {
  const { rules, loads, state } = desk(rulesOf(3n, pay));
  await rules.check(event('x'));
  expect(await rules.isCurrent(1, 3n)).toBe(true);
  state.rules = rulesOf(4n, { ...pay, validation: 'warn' });
  expect(await rules.isCurrent(1, 3n)).toBe(false);
  expect(await rules.check(event(1))).toMatchObject({ rulesVersion: 4n, mode: 'warn', faults: [{ path: 'data' }] });
  expect(loads).toEqual(['rules 1', 'schema 1@1', 'version 1', 'version 1', 'rules 1']);
});

test('many who ask at once whether rules are current cost two reads, and none of them an older one than its question', async () => {
  const { rules, loads, state } = desk(rulesOf(3n, pay));
  const first = rules.isCurrent(1, 3n);
  await Promise.resolve();
  const changed = rulesOf(4n, pay);
  await first;
  const during = rules.isCurrent(1, 3n);
  state.rules = changed;
  const after = [rules.isCurrent(1, 3n), rules.isCurrent(1, 3n), rules.isCurrent(1, 3n)];
  await during;
  expect(await Promise.all(after)).toEqual([false, false, false]);
  expect(loads.length).toBeLessThanOrEqual(3);
});

test('a failed read is not kept', async () => {
  let fails = true;
  const rules = new TypeRules({
    load: async () => {
      if (fails) throw new Error('away');
      return rulesOf(1n);
    },
    loadVersion: async () => 1n,
    loadSchema: async () => null,
  });
  await expect(rules.check(event(1))).rejects.toThrow('away');
  fails = false;
  expect(await rules.check(event(1))).toMatchObject({ mode: 'off' });
});

test('validators beyond the capacity fall out, least recently used first, by number and by length', async () => {
  const versions = [version(1), version(2), version(3)];
  const { rules, loads } = desk(rulesOf(1n, { ...pay, versions }));
  for (const text of ['1.0', '2.0', '1.0', '3.0', '1.0', '2.0']) await rules.check(event('x', text));
  expect(loads.filter((load) => load.startsWith('schema'))).toEqual([
    'schema 1@1',
    'schema 1@2',
    'schema 1@3',
    'schema 1@2',
  ]);
  const long = desk(rulesOf(1n, { ...pay, versions }), `{"type":"string","title":"${'x'.repeat(30)}"}`);
  for (const text of ['1.0', '2.0', '1.0']) await long.rules.check(event('x', text));
  expect(long.loads.filter((load) => load.startsWith('schema'))).toHaveLength(3);
});

test.each([
  { validators: 8, schemaLength: 10_000 },
  { validators: 100, schemaLength: 8 * 17 },
])(
  'a tenant that goes through many schemas pushes out its own validators, not those of others: %j',
  async (capacity) => {
    const versions = Array.from({ length: 20 }, (_, i) => version(i + 1));
    const { rules, loads } = desk(rulesOf(1n, { ...pay, versions }), '{"type":"string"}', capacity);
    const other = { ...event('x'), tenantNum: 2 };
    await rules.check(other);
    for (const { major } of [...versions, ...versions]) await rules.check(event('x', `${major}.0`));
    await rules.check(other);
    expect(loads.filter((load) => load === 'schema of 2')).toHaveLength(1);
    const before = loads.length;
    for (const { major } of versions.slice(-7)) await rules.check(event('x', `${major}.0`));
    expect(loads.length).toBe(before);
  },
);

test('what one tenant spends of the budget of a request is its own', async () => {
  const { rules } = desk(rulesOf(1n, pay), '{"pattern":"^a*$"}');
  const budget = new CheckBudget();
  const [one, two] = [event('a'.repeat(10)), { ...event('a'.repeat(10)), tenantNum: 2 }];
  budget.of(1).left = 5;
  const faultsOf = async (each: typeof one) => (await rules.check(each, budget)).faults;
  expect(await faultsOf(one)).toEqual([{ path: 'data', message: expect.stringContaining('too many values') }]);
  expect(await faultsOf(two)).toEqual([]);
  expect((await rules.check(one)).faults).toEqual([]);
});
