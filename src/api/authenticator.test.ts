import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Refusal } from '../domain/errors.ts';
import type { KnownKey } from '../store/find-api-keys.ts';
import { Authenticator } from './authenticator.ts';

const OPERATOR_KEY = 'operator-key-of-the-test';

/** By Postgres's clock and by the steady one: `pass` moves both, a step of Postgres's clock only its own. */
let now: number;
let steady: number;
let keys: Map<string, KnownKey>;
let lookups: number;
let authenticator: Authenticator;

beforeEach(() => {
  now = 1_000;
  steady = 50_000;
  lookups = 0;
  keys = new Map([
    ['good', { id: 'key_1', tenantNum: 7, tenantId: 'tenant_7', scopes: ['events:write'], expiresAtMs: null }],
  ]);
  const find = async (key: string) => {
    lookups++;
    return keys.get(key) ?? null;
  };
  authenticator = new Authenticator({ operatorKey: OPERATOR_KEY, find, ...clocks });
});

const clocks = { pgNowMs: () => now, steadyMs: () => steady };

function pass(ms: number): void {
  now += ms;
  steady += ms;
}

const refusal = expect.objectContaining({ status: 401, code: 'unauthorized' });

test('the operator key opens everything and is not looked up', async () => {
  expect(await authenticator.authenticate(`Bearer ${OPERATOR_KEY}`)).toEqual({ kind: 'operator', actor: 'operator' });
  expect(lookups).toBe(0);
});

test('a tenant key says whose it is and what it may do; the scheme may be written in any case', async () => {
  expect(await authenticator.authenticate('bearer good')).toEqual({
    kind: 'tenant',
    actor: 'key_1',
    tenant: { num: 7, id: 'tenant_7' },
    scopes: new Set(['events:write']),
  });
});

test.each([
  undefined,
  '',
  'good',
  'Basic good',
  'Bearer',
  'Bearer ',
  'Bearer a b',
  'Bearer \u00e4',
  `Bearer ${'x'.repeat(513)}`,
  `x Bearer good`,
])('the header %s is refused without a look', async (header) => {
  await expect(authenticator.authenticate(header)).rejects.toEqual(refusal);
  expect(lookups).toBe(0);
});

test('an unknown key is refused each time anew', async () => {
  for (let i = 0; i < 2; i++) await expect(authenticator.authenticate('Bearer bad')).rejects.toEqual(refusal);
  expect(lookups).toBe(2);
});

test('a revoked key dies within little more than a second', async () => {
  await authenticator.authenticate('Bearer good');
  keys.clear();
  pass(999);
  await authenticator.authenticate('Bearer good');
  pass(1);
  await expect(authenticator.authenticate('Bearer good')).rejects.toEqual(refusal);
});

test('a key is never trusted past its expiry', async () => {
  keys.set('good', { ...keys.get('good')!, expiresAtMs: now + 100 });
  await authenticator.authenticate('Bearer good');
  pass(100);
  keys.clear();
  await expect(authenticator.authenticate('Bearer good')).rejects.toEqual(refusal);
});

test.each([
  ['back', -3_600_000],
  ['forward', 3_600_000],
])('a revoked key dies as soon where the clock of Postgres is set %s', async (_direction, step) => {
  await authenticator.authenticate('Bearer good');
  keys.clear();
  now += step;
  pass(999);
  await authenticator.authenticate('Bearer good');
  expect(lookups).toBe(1);
  pass(1);
  await expect(authenticator.authenticate('Bearer good')).rejects.toEqual(refusal);
});

test('a key expires by the clock of Postgres, where that is set forward too', async () => {
  keys.set('good', { ...keys.get('good')!, expiresAtMs: now + 3_600_000 });
  await authenticator.authenticate('Bearer good');
  keys.clear();
  now += 3_600_000;
  await expect(authenticator.authenticate('Bearer good')).rejects.toEqual(refusal);
});

test('what is remembered is forgotten on demand', async () => {
  await authenticator.authenticate('Bearer good');
  keys.clear();
  authenticator.forget();
  await expect(authenticator.authenticate('Bearer good')).rejects.toEqual(refusal);
});

test('a key that is looked for while one is revoked is not remembered: it may have been this one', async () => {
  const known = keys.get('good')!;
  const { promise, resolve } = Promise.withResolvers<typeof known>();
  const find = vi.fn(() => promise);
  const slow = new Authenticator({ operatorKey: OPERATOR_KEY, find, ...clocks });
  const looking = slow.authenticate('Bearer good');
  slow.forget();
  resolve(known);
  await looking;
  await slow.authenticate('Bearer good');
  expect(find).toHaveBeenCalledTimes(2);
});

test('a key store that fails is not an unauthorized caller', async () => {
  const failing = new Authenticator({
    operatorKey: OPERATOR_KEY,
    find: () => Promise.reject(new Error('away')),
    ...clocks,
  });
  await expect(failing.authenticate('Bearer good')).rejects.toThrow('away');
});

/** A key found good at first; how the looks for it go on is the test's. */
async function knownKey() {
  const good = keys.get('good')!;
  const looks: PromiseWithResolvers<KnownKey | null>[] = [];
  const find = vi.fn((_key: string, _wasKnown: boolean) => {
    looks.push(Promise.withResolvers());
    return looks.at(-1)!.promise;
  });
  const patient = new Authenticator({ operatorKey: OPERATOR_KEY, find, ...clocks });
  const first = patient.authenticate('Bearer good');
  looks[0]!.resolve(good);
  await first;
  return { patient, looks, find, good };
}

afterEach(() => void vi.useRealTimers());

test('a key that was good a moment ago stays so while nobody answers whether it is, and not for longer than ten seconds', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { patient, looks, find } = await knownKey();
  pass(1_000);
  const waiting = [patient.authenticate('Bearer good'), patient.authenticate('Bearer good')];
  await vi.advanceTimersByTimeAsync(250);
  for (const caller of await Promise.all(waiting)) expect(caller).toMatchObject({ actor: 'key_1' });
  expect(find.mock.calls).toEqual([
    ['good', false],
    ['good', true],
  ]);
  pass(8_999);
  expect(await patient.authenticate('Bearer good')).toMatchObject({ actor: 'key_1' });
  pass(1);
  const late = patient.authenticate('Bearer good');
  looks[1]!.reject(new Refusal(503, 'unavailable', 'away'));
  await expect(late).rejects.toMatchObject({ status: 503 });
});

test('a key that was good a moment ago stays so while looks for it fail', async () => {
  const { patient, looks } = await knownKey();
  pass(1_000);
  const asked = patient.authenticate('Bearer good');
  looks[1]!.reject(new Refusal(503, 'overloaded', 'too much'));
  expect(await asked).toMatchObject({ actor: 'key_1' });
});

test('once it is answered that a key was revoked, however late, it is not trusted any more', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { patient, looks } = await knownKey();
  pass(1_000);
  const asked = patient.authenticate('Bearer good');
  await vi.advanceTimersByTimeAsync(250);
  await asked;
  looks[1]!.resolve(null);
  await vi.advanceTimersByTimeAsync(0);
  const next = patient.authenticate('Bearer good');
  looks[2]!.resolve(null);
  await expect(next).rejects.toEqual(refusal);
});

test.each([
  ['back', -3_600_000],
  ['forward', 3_600_000],
])(
  'while nobody answers, a key is trusted for ten seconds also where the clock of Postgres is set %s',
  async (_direction, step) => {
    const { patient, looks } = await knownKey();
    now += step;
    pass(9_999);
    const early = patient.authenticate('Bearer good');
    looks[1]!.reject(new Refusal(503, 'unavailable', 'away'));
    expect(await early).toMatchObject({ actor: 'key_1' });
    pass(1);
    const late = patient.authenticate('Bearer good');
    looks[2]!.reject(new Refusal(503, 'unavailable', 'away'));
    await expect(late).rejects.toMatchObject({ status: 503 });
  },
);

test('while nobody answers, no key is trusted past its expiry', async () => {
  keys.set('good', { ...keys.get('good')!, expiresAtMs: now + 2_000 });
  const { patient, looks } = await knownKey();
  pass(2_000);
  const asked = patient.authenticate('Bearer good');
  looks[1]!.reject(new Refusal(503, 'unavailable', 'away'));
  await expect(asked).rejects.toMatchObject({ status: 503 });
});

test('G4: a key that was good is not looked for among those made up when another is revoked, or very many are used', async () => {
  const good = keys.get('good')!;
  const find = vi.fn(async (_key: string, _wasKnown: boolean) => good);
  const busy = new Authenticator({ operatorKey: OPERATOR_KEY, find, ...clocks });
  await busy.authenticate('Bearer good');
  busy.forget();
  await busy.authenticate('Bearer good');
  expect(find).toHaveBeenLastCalledWith('good', true);
  for (let i = 0; i < 9_999; i++) await busy.authenticate(`Bearer other${i}`);
  await busy.authenticate('Bearer another');
  pass(1_000);
  await busy.authenticate('Bearer other1');
  expect(find).toHaveBeenLastCalledWith('other1', true);
});

test('a key is trusted from when it was asked for, however late the answer came', async () => {
  const find = vi.fn(async () => {
    pass(600);
    return keys.get('good')!;
  });
  const slow = new Authenticator({ operatorKey: OPERATOR_KEY, find, ...clocks });
  await slow.authenticate('Bearer good');
  pass(400);
  await slow.authenticate('Bearer good');
  expect(find).toHaveBeenCalledTimes(2);
});
