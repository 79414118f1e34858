import { expect, test } from 'vitest';
import { Refusal } from '../domain/errors.ts';
import type { Caller } from '../domain/scope.ts';
import type { ClaimedBy } from '../store/event-log.ts';
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
  readonly sourceKey?: string;
}

/** Sends everything while nothing is refused, then once more by rules that take even numbers, and no text over 300 bytes. */
async function sendAgain(
  given: readonly Given[],
  {
    as = 'batch',
    before = given,
    isTaken = true,
  }: { as?: 'batch' | 'source'; before?: readonly Given[]; isTaken?: boolean } = {},
) {
  const claims = new Map<string, ClaimedBy>();
  const asked: string[][] = [];
  const committed: unknown[] = [];
  let isStrict = false;
  const submit = async (unit: Unit): Promise<UnitResult> => {
    if (isStrict && !isTaken) return { kind: 'conflict', indexes: [unit.length - 1] };
    for (const event of unit) {
      for (const { key, bodyHash } of claimsOf(event))
        claims.set(key, { eventUuid: event.uuid, externalId: event.externalId, bodyHash, deliveries: 3 });
      if (isStrict) committed.push(event.externalId);
    }
    const items = unit.map(({ publicId }) => ({ id: publicId, status: 'accepted' as const, deliveries: 3 }));
    return { kind: as === 'source' ? 'loose' : 'accepted', items };
  };
  const check = ({ data }: { data: unknown }) => {
    const isOdd = isStrict && Number(data) % 2 === 1;
    return { rulesVersion: 1n, mode: 'enforce', faults: isOdd ? [{ path: 'data', message: 'is odd' }] : [] } as const;
  };
  const findClaims = async (keys: readonly string[]) => {
    asked.push([...keys]);
    return new Map([...claims].filter(([key]) => keys.includes(key)));
  };
  const send = async (events: readonly Given[]) => {
    const dependencies = acceptDependencies(submit, {
      rules: { check },
      findClaims,
      maxEventBytes: isStrict ? 300 : 9_000,
    });
    const raw = events.map(({ sourceKey: _, ...fields }) => {
      const value = { type: 'a', ...fields };
      return { value, text: JSON.stringify(value) };
    });
    if (as === 'batch') return acceptEvents(raw, { isBatch: true, caller, idempotencyKey: undefined }, dependencies);
    const loose = raw.map((each, i) => ({ raw: each, caller, sourceKey: events[i]!.sourceKey ?? null }));
    return acceptEach(loose, dependencies);
  };
  await send(before);
  isStrict = true;
  const answer = await send(given).catch((error: Refusal) => error);
  const told = answer instanceof Refusal ? answer.faults : answer.map((item) => ('code' in item ? item.code : item));
  return { told, asked, committed };
}

const duplicate = (id: string) => ({ id, status: 'duplicate', deliveries: 3 });
const accepted = (id: string) => ({ id, status: 'accepted', deliveries: 3 });
const [odd, even] = [
  { id: 'odd', data: 1 },
  { id: 'even', data: 2 },
];
const large = { id: 'large', data: 'x'.repeat(400) };

test('what is stored already is a duplicate when it comes again, though a schema or a limit would refuse it by now', async () => {
  const { told, committed } = await sendAgain([odd, large]);
  expect(told).toEqual([duplicate('odd'), duplicate('large')]);
  expect(committed).toEqual([]);
});

test('beside new events each keeps its place', async () => {
  const before = [odd, large];
  const { told } = await sendAgain([odd, even, large, { id: 'new', data: 4 }], { before });
  expect(told).toEqual([duplicate('odd'), accepted('even'), duplicate('large'), accepted('new')]);
});

test('a conflict of a new event is told by its own place', async () => {
  const { told } = await sendAgain([odd, large, even, { id: 'new', data: 4 }], {
    before: [odd, large],
    isTaken: false,
  });
  expect(told).toMatchObject([{ path: '3', code: 'idempotency_conflict' }]);
});

test.each([
  ['is not stored', { id: 'other', data: 3 }],
  ['has the id of another event', { id: 'odd', data: 3 }],
])('what %s is refused, and only that is named', async (_, refused) => {
  const { told, committed } = await sendAgain([odd, even, refused], { before: [odd] });
  expect(told).toEqual([{ path: '2.data', message: 'is odd', code: 'invalid_event' }]);
  expect(committed).toEqual([]);
});

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
