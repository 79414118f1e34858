import { expect, test } from 'vitest';
import type { Caller } from '../domain/caller.ts';
import { Refusal } from '../domain/errors.ts';
import { eventIdOf, newUuid } from '../domain/ids.ts';
import type { AskedKey, ClaimedBy } from '../store/claims.ts';
import type { MadeId } from '../store/made-ids.ts';
import { acceptEvents } from './accept.ts';
import { acceptEach } from './accept-each.ts';
import { acceptDependencies } from './fixtures/accept-dependencies.ts';
import type { Unit, UnitResult } from './plan-group.ts';
import { claimsOf } from './seal-event.ts';

const caller: Caller = { kind: 'tenant', actor: 'key_1', tenant: { num: 1, id: 'acme' }, scopes: new Set() };
const SOURCE_KEY = '00000000-0000-0000-0000-00000000000a';

interface Given {
  readonly id?: string;
  readonly data: unknown;
  readonly version?: string;
  readonly sourceKey?: string;
}

interface Options {
  readonly as?: 'batch' | 'source';
  readonly before?: readonly Given[];
  /** Whether an earlier version stored what came before, where that hashed it in another way. */
  readonly isOld?: boolean;
  /** What is said in turn, once rules are strict, in place of storing what comes. */
  readonly answers?: readonly UnitResult[];
  /** Ids that Posthorn gave to events. */
  readonly made?: readonly string[];
  /** Of the rules, as one event after the other is checked by them; the last one holds. */
  readonly versions?: readonly bigint[];
  /** Whether Postgres does not answer once rules are strict. */
  readonly isSlow?: boolean;
}

/** Sends what came `before` while nothing is refused, then what is given, by rules that take even numbers. */
async function sendAgain(given: readonly Given[], options: Options = {}) {
  const {
    as = 'batch',
    before = given,
    answers = [],
    made = [],
    versions = [1n],
    isSlow = false,
    isOld = false,
  } = options;
  const claims = new Map<string, ClaimedBy>();
  const asked: (readonly AskedKey[])[] = [];
  const committed: unknown[] = [];
  let isStrict = false;
  let tries = 0;
  let checks = 0;
  const submit = async (unit: Unit): Promise<UnitResult> => {
    const other = isStrict ? answers[tries++] : undefined;
    if (other !== undefined) return other;
    for (const event of unit) {
      for (const { key, bodyHash } of claimsOf(event))
        claims.set(key, {
          eventUuid: event.uuid,
          externalId: event.externalId,
          bodyHash: (isOld ? event.formerHash?.() : undefined) ?? bodyHash,
          deliveries: 3,
        });
      if (isStrict) committed.push(event.externalId);
    }
    const items = unit.map(({ publicId }) => ({ id: publicId, status: 'accepted' as const, deliveries: 3 }));
    return { kind: as === 'source' ? 'independent' : 'accepted', items };
  };
  const check = ({ data }: { data: unknown }) => {
    const isOdd = isStrict && Number(data) % 2 === 1;
    const rulesVersion = versions[Math.min(checks++, versions.length - 1)]!;
    return { rulesVersion, mode: 'enforce', faults: isOdd ? [{ path: 'data', message: 'is odd' }] : [] } as const;
  };
  const isCurrent = async (_: number, version: bigint) => version === versions.at(-1);
  const findStored = async (keys: readonly AskedKey[]) => {
    asked.push(keys);
    return isSlow ? new Promise<never>(() => {}) : claims;
  };
  const findGeneratedIds = async (ids: readonly MadeId[]) =>
    new Set([...ids.keys()].filter((at) => made.includes(eventIdOf(ids[at]!.uuid))));
  const late = new Refusal(503, 'unavailable', 'Too late.', { faults: [{ path: '', message: 'too late' }] });
  const withinDeadline = <T>(work: Promise<T>) => (isSlow ? Promise.reject(late) : work);
  const dependencies = acceptDependencies(submit, {
    rules: { check, isCurrent },
    findStored,
    findGeneratedIds,
    withinDeadline,
  });
  const send = (events: readonly Given[]) => {
    const raw = events.map(({ sourceKey: _, ...fields }) => {
      const value = { type: 'a', ...fields };
      return { value, text: JSON.stringify(value) };
    });
    if (as === 'batch') return acceptEvents(raw, { isBatch: true, caller, idempotencyKey: undefined }, dependencies);
    const independent = raw.map((each, i) => ({ raw: each, caller, sourceKey: events[i]!.sourceKey ?? null }));
    return acceptEach(independent, dependencies);
  };
  await send(before);
  isStrict = true;
  checks = 0;
  const answer = await send(given).catch((error: Refusal) => error);
  const told = answer instanceof Refusal ? answer.faults : answer.map((item) => ('code' in item ? item.code : item));
  return { told, asked, committed };
}

const duplicate = (id: string) => ({ id, status: 'duplicate', deliveries: 3 });
const accepted = (id: string) => ({ id, status: 'accepted', deliveries: 3 });
const odd = { id: 'odd', data: 1 };
const odder = { id: 'odder', data: 3 };
const even = { id: 'even', data: 2 };

test('what is stored already is a duplicate when it comes again, though its schema would refuse it by now', async () => {
  const { told, committed, asked } = await sendAgain([odd, odder]);
  expect(told).toEqual([duplicate('odd'), duplicate('odder')]);
  expect(committed).toEqual([]);
  expect(asked).toEqual([Array(2).fill({ key: expect.any(String), tenantNum: 1 })]);
});

test('what an earlier version stored under another hash is a duplicate, with other data it is refused', async () => {
  const told = { ...odd, version: '1.0' };
  expect((await sendAgain([told], { isOld: true })).told).toEqual([duplicate('odd')]);
  expect((await sendAgain([{ ...told, data: 3 }], { before: [told], isOld: true })).told).toMatchObject([
    { path: '0.data' },
  ]);
});

test('beside new events each keeps its place', async () => {
  const before = [odd, odder];
  const { told } = await sendAgain([odd, even, odder, { id: 'new', data: 4 }], { before });
  expect(told).toEqual([duplicate('odd'), accepted('even'), duplicate('odder'), accepted('new')]);
});

test('beside new events whose types have changed, all are checked once more', async () => {
  const { told } = await sendAgain([odd, even], { before: [odd], answers: [{ kind: 'types_changed' }] });
  expect(told).toEqual([duplicate('odd'), accepted('even')]);
});

const madeId = eventIdOf(newUuid(1_700_000_000_000));

test.each<[string, string, Options]>([
  ['in conflict', 'idempotency_conflict', { answers: [{ kind: 'conflict', indexes: [1] }] }],
  ['of a tenant that is gone', 'tenant_not_found', { answers: [{ kind: 'tenant_gone', indexes: [1] }] }],
  ['with an id of ours', 'idempotency_conflict', { made: [madeId] }],
])('a new event beside them that is %s is told by its own place', async (_, code, options) => {
  const { told } = await sendAgain([odd, odder, even, { id: madeId, data: 4 }], { before: [odd, odder], ...options });
  expect(told).toMatchObject([{ path: expect.stringMatching(/^3/), code }]);
});

test.each([
  ['is not stored', { id: 'other', data: 3 }],
  ['has the id of another event', { id: 'odd', data: 3 }],
])('what %s is refused, and only that is named', async (_, refused) => {
  const { told, committed } = await sendAgain([odd, even, refused], { before: [odd] });
  expect(told).toEqual([{ path: '2.data', message: 'is odd', code: 'invalid_event' }]);
  expect(committed).toEqual([]);
});

test.each(['batch', 'source'] as const)('what older types refuse is checked once more: a %s', async (as) => {
  const refused = [odder, { id: 'other', data: 5 }];
  const { told, asked } = await sendAgain(refused, { as, before: [odd], versions: [1n, 2n] });
  expect(asked).toHaveLength(2);
  expect(told.map((one) => ('code' in Object(one) ? (one as { code: string }).code : one))).toEqual([
    'invalid_event',
    'invalid_event',
  ]);
});

test.each(['batch', 'source'] as const)(
  'of stored events it matters not by which types they are refused: a %s',
  async (as) => {
    const { told, asked } = await sendAgain([odd], { as, versions: [1n, 2n] });
    expect(asked).toHaveLength(1);
    expect(told).toEqual([duplicate('odd')]);
  },
);

test.each(['batch', 'source'] as const)(
  'nobody waits longer to hear whether it is stored than a producer does: a %s',
  async (as) => {
    expect((await sendAgain([odd], { as, isSlow: true })).told).toEqual([{ path: '', message: 'too late' }]);
  },
);

test('nobody asks where nothing is refused, nor where what is refused has neither id nor key', async () => {
  expect((await sendAgain([even])).asked).toEqual([]);
  const { told, asked } = await sendAgain([{ data: 1 }]);
  expect(told).toMatchObject([{ path: '0.data' }]);
  expect(asked).toEqual([]);
});

test('a message of a source that comes again is a duplicate by its place, and its neighbours are judged as ever', async () => {
  const message = { data: 1, sourceKey: SOURCE_KEY };
  const { told } = await sendAgain([message, odd, even], { as: 'source', before: [message] });
  expect(told).toEqual([expect.objectContaining({ status: 'duplicate' }), 'invalid_event', accepted('even')]);
});
