import { expect, test } from 'vitest';
import type { Caller } from '../domain/caller.ts';
import { Refusal } from '../domain/errors.ts';
import { eventIdOf, newUuid } from '../domain/ids.ts';
import { acceptEvents } from './accept.ts';
import { acceptDependencies } from './fixtures/accept-dependencies.ts';
import type { UnitResult } from './plan-group.ts';
import type { PendingEvent } from './seal-event.ts';

const caller: Caller = { kind: 'tenant', actor: 'key_1', tenant: { num: 1, id: 'acme' }, scopes: new Set() };
const madeId = eventIdOf(newUuid(1_700_000_000_000));

const unavailable = new Refusal(503, 'unavailable', 'late');

interface Options {
  readonly isBatch?: boolean;
  /** What the commit says. */
  readonly result?: (unit: readonly PendingEvent[]) => UnitResult;
  /** Whether Postgres does not say in time which event types hold. */
  readonly isSlow?: boolean;
  /** Whether Postgres cannot be asked at all. */
  readonly isAway?: boolean;
  readonly isStale?: boolean;
}

/** Sends events to a process that believes, where it is stale, that no type has a schema. By now numbers of type `n` must be even. */
async function send(
  events: readonly object[],
  { isBatch = true, result, isSlow = false, isAway = false, isStale = true }: Options = {},
) {
  let version = isStale ? 0n : 1n;
  const asked: bigint[] = [];
  const submit = async (unit: readonly PendingEvent[]): Promise<UnitResult> =>
    result?.(unit) ?? {
      kind: 'accepted',
      items: unit.map(({ publicId }) => ({ id: publicId, status: 'accepted', deliveries: 0 })),
    };
  const dependencies = acceptDependencies(submit, {
    findGeneratedIds: async (ids) => new Set(ids.keys()),
    // What asks nobody is done before the next turn of the event loop.
    withinDeadline: (work) =>
      Promise.race([work, new Promise<never>((_, reject) => setImmediate(reject, unavailable))]),
    rules: {
      check: ({ type, data }) => {
        const isOdd = version === 1n && type === 'n' && Number(data) % 2 === 1;
        const faults = isOdd ? [{ path: 'data', message: 'is odd' }] : [];
        return { rulesVersion: version, mode: 'enforce', faults };
      },
      isCurrent: async (_, at) => {
        asked.push(at);
        if (isAway) throw unavailable;
        if (isSlow) await new Promise(() => {});
        return at === 1n;
      },
      forget: () => {
        version = 1n;
      },
    },
  });
  const raw = events.map((value) => ({ value, text: JSON.stringify(value) }));
  const told = await acceptEvents(raw, { isBatch, caller, idempotencyKey: undefined }, dependencies).catch(
    (error: unknown) => error,
  );
  if (told === unavailable) return { told: 'unavailable', asked };
  return { told: told instanceof Refusal ? told.faults.map(({ path }) => path) : told, asked };
}

const misfit = { type: 'n', data: 1 };
const conflict = (indexes: readonly number[]) => (unit: readonly PendingEvent[]) =>
  ({ kind: 'conflict', indexes: indexes.slice(0, unit.length) }) as const;

test('a batch that is refused for another fault names the misfits of types that came since, too', async () => {
  expect((await send([misfit, { type: 'a..b', data: 1 }])).told).toEqual(['0.data', '1.type']);
});

test('so does a batch with an id of ours, and one that storing it would have refused', async () => {
  expect((await send([misfit, { type: 'a', data: 1, id: madeId }])).told).toEqual(['0.data', '1.id']);
  const fits = [
    { type: 'n', data: 2 },
    { type: 'a', data: 1 },
  ];
  for (const kind of ['conflict', 'tenant_gone'] as const) {
    const result = () => ({ kind, indexes: [1] }) as const;
    const { told, asked } = await send(fits, { result });
    expect(told).toEqual([kind === 'conflict' ? '1' : '1.tenant_id']);
    expect(asked).toEqual([0n, 1n]);
    expect((await send([misfit, ...fits], { result })).told).toContain('0.data');
  }
  expect((await send([misfit, ...fits], { result: () => ({ kind: 'too_costly', index: 2 }) })).told).toEqual([
    '0.data',
  ]);
});

test('nobody asks about types where a batch is taken, nor for a single event', async () => {
  expect((await send([misfit, misfit])).asked).toEqual([]);
  expect((await send([misfit], { isBatch: false, result: conflict([0]) })).asked).toEqual([]);
});

test('where Postgres does not say in time which types hold, a conflict is told all the same', async () => {
  const { told } = await send([misfit, misfit], { result: conflict([1]), isSlow: true });
  expect(told).toEqual(['1']);
});

test.each(['isSlow', 'isAway'])(
  'where Postgres is no help (%s), a batch that is at fault in any case is told so',
  async (how) => {
    const bad = { type: 'a..b', data: 1 };
    const { told, asked } = await send([{ type: 'a', data: 1 }, bad], { [how]: true });
    expect(told).toEqual(['1.type']);
    expect(asked).toEqual([0n]);
    expect((await send([bad], { [how]: true })).told).toEqual(['0.type']);
  },
);

test.each(['isSlow', 'isAway'])(
  'where Postgres is no help (%s), nobody is told of a fault that hangs on types which may have changed',
  async (how) => {
    const more = { [how]: true, isStale: false };
    expect((await send([misfit, { type: 'a', data: 1 }], more)).told).toBe('unavailable');
    expect((await send([misfit, { type: 'a..b', data: 1 }], more)).told).toBe('unavailable');
  },
);
