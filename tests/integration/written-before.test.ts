import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { newUuid } from '../../src/domain/ids.ts';
import { DECISION } from '../../src/store/codes.ts';
import { type AppendGroup, appendEvents } from '../../src/store/event-log.ts';
import { acquireLanes, type LaneLease } from '../../src/store/lanes.ts';
import { ensurePartitions } from '../../src/store/partitions.ts';
import { type SettledAttempt, settle } from '../../src/store/settle.ts';
import { openPool } from '../support/open-pool.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';

const OLDEST = '00000000-0000-0000-0000-000000000000';

let database: TestDatabase;
let pool: pg.Pool;
let leases: readonly LaneLease[];

beforeAll(async () => {
  database = await createTestDatabase();
  pool = openPool(database.url, { max: 2 });
  await ensurePartitions(pool, Date.now());
  await pool.query(`INSERT INTO tenants (num, id, name) VALUES (1, 'acme', '')`);
  await pool.query(`INSERT INTO endpoints (num, id, tenant_num, url) VALUES (1, 'ep_1', 1, 'http://x/')`);
  leases = await acquireLanes(pool, 'owner', [0]);
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

beforeEach(() => pool.query('TRUNCATE events, attempts, mailbox, idempotency_keys, expansions'));

const attempt = (eventUuid: string, startedAtMs: number, change: Partial<SettledAttempt> = {}): SettledAttempt => ({
  eventUuid,
  endpointNum: 1,
  tenantNum: 1,
  lane: 0,
  attempt: 1,
  isReplay: false,
  startedAtMs,
  outcome: {
    kind: 'delivered',
    response: { status: 200, headers: {}, body: new Uint8Array(0) },
    timing: { dnsMs: null, connectMs: null, firstByteMs: 1, totalMs: 2 },
  } as SettledAttempt['outcome'],
  decision: { kind: 'done' },
  notice: null,
  mayPauseKey: false,
  ...change,
});

const wait = (...uuids: string[]) =>
  pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane) SELECT id, now() - interval '1 ms', 1, 1, 0 FROM unnest($1::uuid[]) id`,
    [uuids],
  );

const onRecord = async () =>
  (
    await pool.query(
      `SELECT event_id, attempt, decision, (extract(epoch FROM started_at) * 1000)::int AS at FROM attempts ORDER BY event_id, attempt`,
    )
  ).rows.map((row) => [row.event_id, row.attempt, row.decision, row.at]);

const waiting = async () =>
  (await pool.query('SELECT event_id, attempt FROM mailbox ORDER BY event_id')).rows.map((row) => [
    row.event_id,
    row.attempt,
  ]);

test('a batch that is settled again, because nobody learned what became of it, leaves what was written as it is and writes the rest', async () => {
  const [known, retried, fresh] = [newUuid(Date.now()), newUuid(Date.now()), newUuid(Date.now())].sort() as [
    string,
    string,
    string,
  ];
  await wait(known, retried, fresh);
  const before = [attempt(known, 1_000), attempt(retried, 2_000, { decision: { kind: 'retry', delayMs: 60_000 } })];
  await settle(pool, leases, before);
  const stands = await onRecord();
  expect(await waiting()).toEqual([
    [retried, 1],
    [fresh, 0],
  ]);
  const held = await settle(pool, leases, [...before, attempt(fresh, 3_000)]);
  expect([...held]).toEqual([0]);
  expect(await onRecord()).toEqual([...stands, [fresh, 1, stands[0]![2], 3_000]]);
  expect(await waiting()).toEqual([[retried, 1]]);
});

test('an attempt whose number was taken meanwhile, as by a cancellation, does not replace what stands, nor hold up its batch', async () => {
  const [cancelled, fresh] = [newUuid(Date.now()), newUuid(Date.now())].sort() as [string, string];
  await wait(fresh);
  await pool.query(
    `INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision) VALUES ($1, to_timestamp(1), 1, 1, 1, 0, 4)`,
    [cancelled],
  );
  await settle(pool, leases, [attempt(cancelled, 2_000), attempt(fresh, 3_000)]);
  expect((await onRecord()).map(([uuid, , , at]) => [uuid, at])).toEqual([
    [cancelled, 1_000],
    [fresh, 3_000],
  ]);
});

test('G3: what a former owner of a lane settles changes nothing, and is not on record', async () => {
  const [ended, going] = [newUuid(Date.now()), newUuid(Date.now())].sort() as [string, string];
  await wait(ended, going);
  const former = leases.map((lease) => ({ ...lease, epoch: lease.epoch - 1 }));
  const attempts = [attempt(ended, 1_000), attempt(going, 1_000, { decision: { kind: 'retry', delayMs: 60_000 } })];
  expect(await settle(pool, former, attempts)).toEqual(new Set());
  expect(await onRecord()).toEqual([]);
  expect(await waiting()).toEqual([
    [ended, 0],
    [going, 0],
  ]);
});

test.each([
  ['done', { kind: 'done' }],
  ['to be tried again', { kind: 'retry', delayMs: 0 }],
] as const)(
  'G2: an attempt that is %s after its delivery has moved on leaves the delivery as it is, and is on record as late',
  async (_what, decision) => {
    const uuid = newUuid(Date.now());
    await wait(uuid);
    await pool.query('UPDATE mailbox SET attempt = 2');
    await settle(pool, leases, [attempt(uuid, 1_000, { decision })]);
    expect(await waiting()).toEqual([[uuid, 2]]);
    expect(await onRecord()).toEqual([[uuid, 1, DECISION.late, 1_000]]);
  },
);

const group = (keys: readonly string[], wide: boolean, keysExpireBefore: string): AppendGroup => {
  const eventUuids = keys.map(() => newUuid(Date.now()));
  const of = (eventUuid: string) => ({ eventUuid, tenantNum: 1 });
  return {
    events: eventUuids.map((uuid) => ({
      uuid,
      tenantNum: 1,
      tenantId: 'acme',
      type: 'a',
      subject: null,
      externalId: null,
      body: Buffer.from('{}'),
    })),
    claims: keys.map((key, i) => ({ key, eventUuid: eventUuids[i]!, bodyHash: key, deliveries: 1 })),
    deliveries: wide ? [] : eventUuids.map((uuid) => ({ ...of(uuid), endpointNum: 1, lane: 0, orderKey: null })),
    expansions: wide ? eventUuids.map((uuid) => ({ ...of(uuid), endpointNums: [1] })) : [],
    routing: new Map([[1, 1n]]),
    keysExpireBefore,
  };
};

const claims = async () =>
  new Map((await pool.query('SELECT key, event_id FROM idempotency_keys')).rows.map((row) => [row.key, row.event_id]));
const counted = async (wide: boolean) =>
  (
    await pool.query(
      `SELECT (SELECT count(*)::int FROM events) AS events, (SELECT count(*)::int FROM ${wide ? 'expansions' : 'mailbox'}) AS rest`,
    )
  ).rows[0];

test.each([
  ['deliveries', false],
  ['deliveries to expand', true],
])(
  'of events with %s, a key is taken over once it has expired, and until then nothing of their group is stored',
  async (_what, wide) => {
    const [old, other] = [newUuid(Date.now()), newUuid(Date.now())];
    const first = group([old], wide, OLDEST);
    expect(await appendEvents(pool, first)).toEqual({ kind: 'stored' });
    expect(await appendEvents(pool, group([other, old], wide, first.events[0]!.uuid))).toEqual({ kind: 'key_taken' });
    expect(await claims()).toEqual(new Map([[old, first.events[0]!.uuid]]));
    expect(await counted(wide)).toEqual({ events: 1, rest: 1 });
    const later = group([other, old], wide, newUuid(Date.now()));
    expect(await appendEvents(pool, later)).toEqual({ kind: 'stored' });
    expect(await claims()).toEqual(new Map(later.claims.map(({ key, eventUuid }) => [key, eventUuid])));
    expect(await counted(wide)).toEqual({ events: 3, rest: 3 });
  },
);
