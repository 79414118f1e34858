import { expect, test } from 'vitest';
import type { Caller } from '../domain/caller.ts';
import { Refusal } from '../domain/errors.ts';
import { acceptEvents } from './accept.ts';
import { acceptDependencies } from './fixtures/accept-dependencies.ts';
import type { Unit, UnitResult } from './plan-group.ts';

const operator: Caller = { kind: 'operator', actor: 'operator' };
const member: Caller = { kind: 'tenant', actor: 'key_1', tenant: { num: 1, id: 'tenant_1' }, scopes: new Set() };

function desk(result?: UnitResult) {
  const units: Unit[] = [];
  const submit = async (unit: Unit): Promise<UnitResult> => {
    units.push(unit);
    return (
      result ?? {
        kind: 'accepted',
        items: unit.map(({ publicId }) => ({ id: publicId, status: 'accepted', deliveries: 0 })),
      }
    );
  };
  const recallTenant = async (id: string) => (id === 'tenant_2' ? { num: 2, id } : null);
  return { units, dependencies: acceptDependencies(submit, { recallTenant }) };
}

async function accept(
  events: readonly unknown[],
  options: { caller?: Caller; isBatch?: boolean; key?: string; result?: UnitResult } = {},
) {
  const { caller = member, isBatch = events.length > 1, key } = options;
  const { units, dependencies } = desk(options.result);
  const raw = events.map((value) => ({ value, text: JSON.stringify(value) }));
  const items = await acceptEvents(raw, { isBatch, caller, idempotencyKey: key }, dependencies).catch(
    (error: unknown) => error,
  );
  const told =
    items instanceof Refusal
      ? { status: items.status, code: items.code, paths: items.faults.map(({ path }) => path) }
      : items;
  return { units, told };
}

const event = (more: object = {}) => ({ type: 'a', data: 1, ...more });

test('the events of one request go into one unit, so that they are stored together or not at all', async () => {
  const { units, told } = await accept([event({ id: 'x' }), event({ id: 'y' })]);
  expect(units).toHaveLength(1);
  expect(told).toMatchObject([{ id: 'x' }, { id: 'y' }]);
});

test('one bad event in a batch is named with its index and path, and nothing is stored', async () => {
  const { units, told } = await accept([event(), event({ type: 'a b' }), 5, event({ data: undefined })]);
  expect(units).toEqual([]);
  expect(told).toEqual({ status: 422, code: 'invalid_batch', paths: ['1.type', '2', '3.data'] });
});

test('a batch that is refused anyway is refused by what is known where conflicts cannot be looked for: another try would not mend it', async () => {
  const { dependencies } = desk();
  const findConflicts = () => Promise.reject(new Refusal(503, 'overloaded', 'Too much waits.'));
  const raw = [event({ id: 'q1' }), event({ type: 'a b' })].map((value) => ({ value, text: JSON.stringify(value) }));
  const options = { isBatch: true, caller: member, idempotencyKey: undefined };
  const accepted = acceptEvents(raw, options, { ...dependencies, findConflicts });
  await expect(accepted).rejects.toMatchObject({ status: 422, code: 'invalid_batch', faults: [{ path: '1.type' }] });
});

test.each<[string, object, Caller, object]>([
  ['an invalid event', event({ type: '' }), member, { status: 422, code: 'invalid_event', paths: ['type'] }],
  [
    'an event that is too large',
    event({ data: 'x'.repeat(300) }),
    member,
    { status: 413, code: 'too_large', paths: [''] },
  ],
  [
    'another tenant than the key has',
    event({ tenant_id: 'tenant_2' }),
    member,
    { status: 404, code: 'tenant_not_found', paths: ['tenant_id'] },
  ],
  ['an operator who names no tenant', event(), operator, { status: 422, code: 'invalid_event', paths: ['tenant_id'] }],
  [
    'an operator who names one that is not there',
    event({ tenant_id: 'x' }),
    operator,
    { status: 404, code: 'tenant_not_found', paths: ['tenant_id'] },
  ],
])('%s is refused and not stored', async (_name, given, caller, expected) => {
  const { units, told } = await accept([given], { caller });
  expect(told).toEqual(expected);
  expect(units).toEqual([]);
});

test('an operator reaches the tenant that the event names; a tenant key may name its own', async () => {
  const [[named], [own]] = await Promise.all([
    accept([event({ tenant_id: 'tenant_2' })], { caller: operator }).then(({ units }) => units),
    accept([event({ tenant_id: 'tenant_1' })]).then(({ units }) => units),
  ]);
  expect([named![0]!.tenant.num, own![0]!.tenant.num]).toEqual([2, 1]);
});

test('the Idempotency-Key header is the key of an event that has none', async () => {
  const { units } = await accept([event()], { key: 'k' });
  expect(units[0]![0]!.keys).toHaveLength(1);
});

test('a conflict is 409 for one event and names its index in a batch', async () => {
  const result: UnitResult = { kind: 'conflict', indexes: [1] };
  expect((await accept([event()], { result })).told).toMatchObject({ status: 409, code: 'idempotency_conflict' });
  expect((await accept([event(), event()], { result })).told).toEqual({
    status: 422,
    code: 'invalid_batch',
    paths: ['1'],
  });
});

test('a tenant that was deleted meanwhile is 404 for one event and names its index in a batch', async () => {
  const result: UnitResult = { kind: 'tenant_gone', indexes: [0] };
  expect((await accept([event()], { result })).told).toMatchObject({ status: 404, code: 'tenant_not_found' });
  expect((await accept([event(), event()], { result })).told).toEqual({
    status: 422,
    code: 'invalid_batch',
    paths: ['0.tenant_id'],
  });
});

test('an event that takes too long to be matched is 422, by its index in a batch, and says what to do', async () => {
  const result: UnitResult = { kind: 'too_costly', index: 1 };
  expect((await accept([event()], { result: { ...result, index: 0 } })).told).toMatchObject({
    status: 422,
    code: 'too_costly_to_route',
  });
  expect((await accept([event(), event()], { result })).told).toEqual({
    status: 422,
    code: 'invalid_batch',
    paths: ['1'],
  });
  const { dependencies } = desk(result);
  const raw = [event(), event()].map((value) => ({ value, text: JSON.stringify(value) }));
  const accepted = acceptEvents(raw, { isBatch: true, caller: member, idempotencyKey: undefined }, dependencies);
  await expect(accepted).rejects.toMatchObject({
    faults: [
      { path: '1', code: 'too_costly_to_route', message: expect.stringMatching(/fewer values.*simpler filters/) },
    ],
  });
});

test('the answer to a batch names every event at fault, and further faults of them up to a thousand in all', async () => {
  const pathsOf = async (events: unknown[]) => ((await accept(events)).told as { paths: string[] }).paths;
  expect(await pathsOf(Array.from({ length: 2_000 }, () => 1))).toHaveLength(2_000);
  const paths = await pathsOf(Array.from({ length: 900 }, () => ({ a: 1, b: 2 })));
  expect(paths).toHaveLength(1_000);
  expect(new Set(paths.map((path) => path.split('.')[0])).size).toBe(900);
});

test('a batch whose deliveries take too much is 413, and says that what it counts is what they take', async () => {
  const result: UnitResult = { kind: 'too_many_deliveries', weight: 30_000 };
  const { told } = await accept([event(), event()], { result });
  expect(told).toMatchObject({ status: 413, code: 'fan_out_too_large' });
  const { dependencies } = desk(result);
  const options = { isBatch: true, caller: member, idempotencyKey: undefined };
  const raw = [{ value: event(), text: JSON.stringify(event()) }];
  await expect(acceptEvents(raw, options, dependencies)).rejects.toThrow(
    /take as much as 30000 deliveries that are written at once.*at most 20000.*Split/,
  );
});
