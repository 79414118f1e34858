import { expect, test } from 'vitest';
import { CheckBudget } from './check-budget.ts';
import { type LoadedRules, TypeRules } from './type-rules.ts';

const version = (major: number, state: 'active' | 'archived' = 'active') => ({ major, minor: 0, patch: 0, state });
const rulesOf = (at: bigint, ...types: LoadedRules['types']): LoadedRules => ({ version: at, types });
const pay = { num: 1, type: 'pay', validation: 'enforce' as const, versions: [version(1)] };
const event = (data: unknown, text = '1.0') => ({ tenantNum: 1, type: 'pay', version: text, data });

function desk(first: LoadedRules | null, schema = '{"type":"string"}', { validators = 2, heldBytes = 10_000 } = {}) {
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
    capacity: { tenants: 2, validators, heldBytes },
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

test('a version that there is not, or no more, is refused, and those that are taken are told', async () => {
  const versions = [version(1), version(2, 'archived'), { ...version(1), minor: 2, patch: 3 }];
  const { rules } = desk(
    rulesOf(1n, { ...pay, versions }, { ...pay, type: 'old', versions: [version(1, 'archived')] }),
  );
  const messageOf = async (text: string, type = 'pay') => {
    const { faults } = await rules.check({ ...event('x', text), type });
    return faults.map(({ path, message }) => `${path}: ${message}`);
  };
  expect(await messageOf('1.2.3')).toEqual([]);
  expect(await messageOf('1.2')).toEqual(['version: no such version of pay; taken: 1.0, 1.2.3']);
  expect(await messageOf('first')).toEqual(['version: no such version of pay; taken: 1.0, 1.2.3']);
  expect(await messageOf('2.0')).toEqual(['version: 2.0 of pay is archived; taken: 1.0, 1.2.3']);
  expect(await messageOf('1.0', 'old')).toEqual(['version: 1.0 of old is archived; none is taken']);
});

/** Rules of types 1 and 2, whose schemas are made by their number and version. */
function shelf(schemaOf: (num: number, version: string) => string | null) {
  const versions = [version(1), { ...version(1), minor: 1 }, version(2)];
  return new TypeRules({
    load: async () => rulesOf(1n, { ...pay, versions }, { ...pay, num: 2, type: 'other', versions }),
    loadVersion: async () => 1n,
    loadSchema: async (_, num, { major, minor }) => schemaOf(num, `${major}.${minor}`),
  });
}

test('each version of each type is checked by its own schema', async () => {
  const rules = shelf((num, text) => JSON.stringify({ const: `${num}/${text}` }));
  for (const text of ['1.0', '1.1', '2.0']) {
    for (const [num, type] of [[1, 'pay'] as const, [2, 'other'] as const]) {
      expect(await rules.check({ ...event(`${num}/${text}`, text), type })).toMatchObject({ faults: [] });
      expect(await rules.check({ ...event(`3/${text}`, text), type })).toMatchObject({ faults: [{ path: 'data' }] });
    }
  }
});

test('a schema that is gone refuses nothing, and one that cannot be compiled stands in the way of no other', async () => {
  const rules = shelf((num, text) => (num === 2 ? null : text === '1.0' ? '{' : '{"type":"string"}'));
  const failing = rules.check(event('x', '1.0'));
  const good = rules.check(event(1, '2.0'));
  await expect(failing).rejects.toThrow(SyntaxError);
  expect(await good).toMatchObject({ faults: [{ path: 'data' }] });
  expect(await rules.check({ ...event(1), type: 'other' })).toMatchObject({ faults: [] });
});

test('of schemas that are wanted at once each is compiled in a turn of its own', async () => {
  const rules = shelf(() => '{"type":"string"}');
  await rules.check({ ...event('x'), type: 'unknown' });
  let turn = 0;
  const timer = () => {
    turn++;
    next = setImmediate(timer);
  };
  let next = setImmediate(timer);
  const checks = ['1.0', '1.1', '2.0'].map(async (text) => {
    await rules.check(event('x', text));
    return turn;
  });
  expect(new Set(await Promise.all(checks)).size).toBe(3);
  clearImmediate(next);
});

test('versions are read one at a time, and a read that fails fails for those who share it alone', async () => {
  const reads: PromiseWithResolvers<bigint>[] = [];
  const rules = new TypeRules({
    load: async () => null,
    loadVersion: () => {
      reads.push(Promise.withResolvers<bigint>());
      return reads.at(-1)!.promise;
    },
    loadSchema: async () => null,
  });
  const settle = () => new Promise((done) => setImmediate(done));
  const first = rules.isCurrent(1, 1n);
  await settle();
  const second = [rules.isCurrent(1, 1n), rules.isCurrent(1, 1n)];
  await settle();
  expect(reads).toHaveLength(1);
  reads[0]!.reject(new Error('away'));
  await expect(first).rejects.toThrow('away');
  await settle();
  const third = rules.isCurrent(1, 1n);
  await settle();
  expect(reads).toHaveLength(2);
  reads[1]!.resolve(1n);
  expect(await Promise.all(second)).toEqual([true, true]);
  await settle();
  reads[2]!.resolve(2n);
  expect(await third).toBe(false);
  expect(reads).toHaveLength(3);
});

test('validators beyond the capacity fall out, least recently used first, by number and by what they hold', async () => {
  const versions = [version(1), version(2), version(3)];
  const { rules, loads } = desk(rulesOf(1n, { ...pay, versions }));
  for (const text of ['1.0', '2.0', '1.0', '3.0', '1.0', '2.0']) await rules.check(event('x', text));
  expect(loads.filter((load) => load.startsWith('schema'))).toEqual([
    'schema 1@1',
    'schema 1@2',
    'schema 1@3',
    'schema 1@2',
  ]);
  const long = desk(rulesOf(1n, { ...pay, versions }), `{"type":"string","title":"${'x'.repeat(3_000)}"}`);
  for (const text of ['1.0', '2.0', '1.0']) await long.rules.check(event('x', text));
  expect(long.loads.filter((load) => load.startsWith('schema'))).toHaveLength(3);
});

test.each([
  { validators: 8, heldBytes: 1_000_000 },
  { validators: 100, heldBytes: 8 * 4_400 },
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

test('schemas of 53,000 characters that describe what they say are kept, thirty of a tenant, and compiled once each', async () => {
  const properties = Object.fromEntries(
    Array.from({ length: 300 }, (_, i) => [`field_${i}`, { type: 'string', description: 'd'.repeat(130) }]),
  );
  const schema = JSON.stringify({ properties });
  expect(schema.length).toBeGreaterThan(53_000);
  const versions = Array.from({ length: 30 }, (_, i) => version(i + 1));
  // The quarter that a tenant may have.
  const { rules, loads } = desk(rulesOf(1n, { ...pay, versions }), schema, {
    validators: 2_000,
    heldBytes: 50_000_000,
  });
  for (const { major } of [...versions, ...versions]) await rules.check(event({}, `${major}.0`));
  expect(loads.filter((load) => load.startsWith('schema 1@'))).toHaveLength(30);
});

test('what one tenant spends of the budget of a request is its own', async () => {
  const { rules } = desk(rulesOf(1n, pay), '{"pattern":"^a*$"}');
  const budget = new CheckBudget();
  const [one, two] = [event('a'.repeat(10)), { ...event('a'.repeat(10)), tenantNum: 2 }];
  budget.of(1).left = 5;
  const faultsOf = async (each: typeof one) => (await rules.check(each, budget)).faults;
  expect(await faultsOf(one)).toEqual([{ path: 'data', message: expect.stringContaining('takes too long') }]);
  expect(await faultsOf(two)).toEqual([]);
  expect((await rules.check(one)).faults).toEqual([]);
});
