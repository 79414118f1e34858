import type pg from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { newUuid, uuidFloor } from '../../src/domain/ids.ts';
import { findClaims, findLivingClaims } from '../../src/store/claims.ts';
import { dropExpiredIdempotencyKeys } from '../../src/store/drop-expired-idempotency-keys.ts';
import { promoteAll } from '../../src/store/order.ts';
import { ensurePartitions, listPartitions } from '../../src/store/partitions.ts';
import { dropOldPartitions } from '../../src/store/retention.ts';
import { Housekeeping, type HousekeepingDuty } from '../../src/workers/housekeeping.ts';
import { dropInTurn } from '../support/drop-in-turn.ts';
import { eventually } from '../support/eventually.ts';
import { openPool } from '../support/open-pool.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';
import { uuidAt } from '../support/uuid-at.ts';

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2031, 4, 10, 23, 59, 59, 999);
let database: TestDatabase;
let pool: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = openPool(database.url, { max: 8 });
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

const names = async () => (await listPartitions(pool)).map(({ name }) => name).filter((name) => name.includes('_p203'));
const insertEvent = (ms: number) =>
  pool.query(`INSERT INTO events (id, tenant_num, type, body) VALUES ($1, 1, 'a.b', '\\x7b7d')`, [uuidAt(ms)]);
const insertAttempt = (ms: number) =>
  pool.query(
    'INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision) VALUES ($1, now(), 1, 1, 1, 1, 1)',
    [uuidAt(ms)],
  );

const dropAfterFailure = () => dropInTurn(() => dropOldPartitions(pool, NOW, 5, 5));

/** A pool whose connections tell to stop when they have been given such a statement. */
function stoppingAfter(real: pg.Pool, statement: string, stopping: AbortController): pg.Pool {
  const told = (client: pg.PoolClient) => ({
    query: async (text: string, values?: unknown[]) => {
      const result = await client.query(text, values);
      if (text.startsWith(statement)) stopping.abort();
      return result;
    },
    release: (broken: boolean) => client.release(broken),
  });
  return {
    query: (text: string, values?: unknown[]) => real.query(text, values),
    connect: async () => told(await real.connect()),
  } as unknown as pg.Pool;
}

test('many processes at once make each day once, from yesterday to the days ahead, and every instant of them can be stored', async () => {
  const made = await Promise.all(Array.from({ length: 4 }, () => ensurePartitions(pool, NOW, 2)));
  expect(made.flat().sort()).toEqual(await names());
  expect(await names()).toEqual(
    ['attempts', 'events'].flatMap((table) => ['09', '10', '11', '12'].map((day) => `${table}_p203105${day}`)),
  );
  expect(await ensurePartitions(pool, NOW, 2)).toEqual([]);
  const [first, last] = [Date.UTC(2031, 4, 9), Date.UTC(2031, 4, 13) - 1];
  for (const ms of [first, NOW, NOW + 1, last]) {
    await insertEvent(ms);
    await insertAttempt(ms);
  }
  for (const ms of [first - 1, last + 1]) await expect(insertEvent(ms)).rejects.toMatchObject({ code: '23514' });
});

test('a partition has every index of its parent', async () => {
  const { rows } = await pool.query(
    `SELECT parent.relname AS table, (SELECT count(*) FROM pg_index WHERE indrelid = parent.oid) AS wanted,
            (SELECT count(*) FROM pg_index i JOIN pg_inherits h ON h.inhrelid = i.indexrelid WHERE i.indrelid = to_regclass(parent.relname || '_p20310510')) AS had
       FROM pg_class parent WHERE parent.oid IN ('events'::regclass, 'attempts'::regclass) ORDER BY 1`,
  );
  expect(rows).toEqual([
    { table: 'attempts', wanted: '3', had: '3' },
    { table: 'events', wanted: '3', had: '3' },
  ]);
});

test('making partitions waits for no reader and no writer', async () => {
  const busy = await pool.connect();
  try {
    await busy.query('BEGIN');
    await busy.query(`INSERT INTO events (id, tenant_num, type, body) VALUES ($1, 1, 'a.b', '\\x7b7d')`, [uuidAt(NOW)]);
    await busy.query('SELECT count(*) FROM attempts');
    expect(await ensurePartitions(pool, NOW, 3)).toHaveLength(2);
  } finally {
    await busy.query('ROLLBACK');
    busy.release();
  }
});

test('days that are wholly older than the retention go, with what waited for them; younger ones stay', async () => {
  await ensurePartitions(pool, NOW - 6 * DAY_MS, 0);
  const [old, young] = [uuidAt(NOW - 6 * DAY_MS), uuidAt(NOW - DAY_MS)];
  for (const uuid of [old, young])
    await pool.query(
      `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane) VALUES ($1, now() - interval '1 ms', 1, 1, 0)`,
      [uuid],
    );
  const dropped = await dropOldPartitions(pool, NOW, 5, 5);
  expect(dropped).toEqual(
    expect.arrayContaining(['events_p20310503', 'attempts_p20310503', 'events_p20310504', 'attempts_p20310504']),
  );
  const left = await names();
  expect(left[0]).toBe('attempts_p20310509');
  expect((await pool.query('SELECT event_id FROM mailbox')).rows).toEqual([{ event_id: young }]);
  expect(await dropOldPartitions(pool, NOW, 5, 5)).toEqual([]);
});

test('a drop that is told to stop leaves off, which is no failure, and another process goes on at once', async () => {
  await ensurePartitions(pool, NOW - 6 * DAY_MS, 0);
  const before = await names();
  const failures: unknown[] = [];
  const stopping = new AbortController();
  const housekeeping = new Housekeeping({
    pool: stoppingAfter(pool, 'DELETE FROM expansions', stopping),
    retentionDays: 5,
    deadLetterDays: 5,
    idempotencyHours: 24,
    onDone: () => {},
    onLeft: (duty) => failures.push(duty),
    onExpired: () => {},
    onFailure: (...failure) => failures.push(failure),
  });
  await housekeeping.dropDays(NOW, NOW, stopping.signal);
  expect([stopping.signal.aborted, failures, await names()]).toEqual([true, [], before]);
  expect(await dropAfterFailure()).toContain('events_p20310504');
});

test('the day that the retention ends in is kept', async () => {
  await ensurePartitions(pool, NOW - 4 * DAY_MS, 0);
  await dropOldPartitions(pool, NOW, 5, 5);
  expect(await names()).toContain('events_p20310505');
});

test('a drop that was interrupted is finished by the next one', async () => {
  await ensurePartitions(pool, NOW - 20 * DAY_MS, 1);
  await pool.query('ALTER TABLE events DETACH PARTITION events_p20310420 CONCURRENTLY');
  // A reader that has the table open keeps the detachment from its second half, and there it is cancelled.
  const reader = await pool.connect();
  const detacher = await pool.connect();
  const unattached = async () =>
    (await listPartitions(pool)).filter(({ state }) => state !== 'attached').map(({ name, state }) => [name, state]);
  try {
    await reader.query('BEGIN');
    await reader.query('SELECT count(*) FROM events');
    const [{ pid }] = (await detacher.query('SELECT pg_backend_pid() AS pid')).rows;
    const detached = detacher
      .query('ALTER TABLE events DETACH PARTITION events_p20310419 CONCURRENTLY')
      .catch((error: unknown) => error);
    await eventually(unattached, ({ length }) => length === 2);
    await pool.query('SELECT pg_cancel_backend($1)', [pid]);
    expect(await detached).toMatchObject({ code: '57014' });
    expect(await unattached()).toEqual([
      ['events_p20310419', 'pending'],
      ['events_p20310420', 'orphan'],
    ]);
  } finally {
    await reader.query('ROLLBACK');
    reader.release();
    detacher.release(true);
  }
  const dropped = await dropOldPartitions(pool, NOW, 5, 5);
  expect(dropped[0]).toBe('events_p20310419');
  expect(dropped).toEqual(
    expect.arrayContaining([
      'events_p20310420',
      'attempts_p20310419',
      'attempts_p20310420',
      'attempts_p20310421',
      'events_p20310421',
    ]),
  );
  expect((await listPartitions(pool)).every(({ state }) => state === 'attached')).toBe(true);
});

test('G2 what a replay queues of a day while it is dropped goes with it, though the drop is interrupted', async () => {
  await ensurePartitions(pool, NOW - 20 * DAY_MS, 0);
  await pool.query(`
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$;
    CREATE TRIGGER refusing BEFORE DELETE ON mailbox FOR EACH ROW EXECUTE FUNCTION refuse()`);
  const late = uuidAt(NOW - 20 * DAY_MS);
  const replay = await pool.connect();
  onTestFinished(() => replay.release());
  await replay.query('BEGIN');
  await replay.query('SELECT FROM events WHERE id = $1', [late]);
  await replay.query(
    'INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane) VALUES ($1, now(), 7, 1, 0)',
    [late],
  );
  const dropping = dropOldPartitions(pool, NOW, 5, 5).catch((error: unknown) => error);
  const waits = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  await eventually(
    () => pool.query(waits),
    ({ rowCount }) => rowCount === 1,
  );
  await replay.query('COMMIT');
  expect(await dropping).toMatchObject({ message: 'not now' });
  await pool.query('DROP TRIGGER refusing ON mailbox');
  await dropAfterFailure();
  expect((await pool.query('SELECT FROM mailbox WHERE endpoint_num = 7')).rowCount).toBe(0);
  expect((await names())[0]).toBe('attempts_p20310505');
});

test('keys are forgotten when their event is old enough, and only then', async () => {
  const [old, young] = [uuidAt(NOW - 2 * DAY_MS), uuidAt(NOW)];
  await pool.query(
    'INSERT INTO idempotency_keys (key, event_id, body_hash, deliveries) SELECT gen_random_uuid(), $1, gen_random_uuid(), 0 FROM generate_series(1, 12000)',
    [old],
  );
  await pool.query(
    'INSERT INTO idempotency_keys (key, event_id, body_hash, deliveries) VALUES (gen_random_uuid(), $1, gen_random_uuid(), 0)',
    [young],
  );
  expect(await dropExpiredIdempotencyKeys(pool, uuidFloor(NOW - DAY_MS))).toBe(12_000);
  expect((await pool.query('SELECT event_id FROM idempotency_keys')).rows).toEqual([{ event_id: young }]);
});

test('G1: a key whose event is old enough is free, though nobody has forgotten it yet', async () => {
  const [old, young] = [uuidAt(NOW - 2 * DAY_MS), uuidAt(NOW)];
  const [free, taken] = [newUuid(Date.now()), newUuid(Date.now())];
  await pool.query(
    'INSERT INTO idempotency_keys (key, event_id, body_hash, deliveries) SELECT key, event_id, key, 0 FROM unnest($1::uuid[], $2::uuid[]) AS k(key, event_id)',
    [
      [free, taken],
      [old, young],
    ],
  );
  const claims = await findClaims(pool, [free, taken], uuidFloor(NOW - DAY_MS));
  expect([...claims]).toMatchObject([[taken, { eventUuid: young }]]);
  const { rows } = await pool.query<{ num: number }>(
    `INSERT INTO tenants (id, name) VALUES ('claims', 'Claims') RETURNING num`,
  );
  const tenantNum = rows[0]!.num;
  const asked = [free, taken].map((key) => ({ key, tenantNum }));
  const ofLiving = () => findLivingClaims(pool, asked, uuidFloor(NOW - DAY_MS));
  expect(await ofLiving()).toEqual(claims);
  await pool.query('UPDATE tenants SET deleted_at = now() WHERE num = $1', [tenantNum]);
  expect(await ofLiving()).toEqual(new Map());
});

test('a duty of housekeeping that fails is reported and does not stop the others', async () => {
  const done: HousekeepingDuty[] = [];
  const failed: HousekeepingDuty[] = [];
  const later = NOW + 30 * DAY_MS;
  const failing = (part: string) =>
    Object.assign(Object.create(pool), {
      query: (...given: Parameters<typeof pool.query>) =>
        JSON.stringify(given[0]).includes(part) ? Promise.reject(new Error('planted')) : pool.query(...given),
    });
  const make = (of: pg.Pool) =>
    new Housekeeping({
      pool: of,
      retentionDays: 5,
      deadLetterDays: 5,
      idempotencyHours: 24,
      onDone: (duty, details) => details === null || done.push(duty),
      onLeft: (duty) => expect.fail(duty),
      onExpired: () => {},
      onFailure: (duty) => failed.push(duty),
    });
  await make(failing('pg_inherits')).dropDays(later, later);
  await make(failing('rejected_messages')).runOnce(later, later);
  expect([done, failed]).toEqual([['keys_forgotten'], ['partitions_dropped', 'rejected_messages_forgotten']]);
  await make(pool).dropDays(later, later);
  expect(done).toEqual(['keys_forgotten', 'partitions_dropped']);
  expect(failed).toHaveLength(2);
});

test('days that another process is at, which may hang, are not told as dropped, and their dead letters are not forgotten before they are', async () => {
  await ensurePartitions(pool, NOW - 40 * DAY_MS, 0);
  const told: string[] = [];
  const housekeeping = new Housekeeping({
    pool,
    retentionDays: 30,
    deadLetterDays: 30,
    idempotencyHours: 24,
    onDone: (duty) => told.push(duty),
    onLeft: (duty) => told.push(`${duty} left`),
    onExpired: () => {},
    onFailure: (duty, error) => expect.fail(`${duty}: ${error}`),
  });
  const other = await pool.connect();
  try {
    await other.query('SELECT pg_advisory_lock(7404)');
    await housekeeping.dropDays(NOW, NOW);
    expect(told).toEqual(['partitions_dropped left']);
    await other.query('SELECT pg_advisory_unlock(7404)');
    await housekeeping.dropDays(NOW, NOW);
    expect(told.slice(1)).toEqual(['partitions_dropped', 'dead_letters_forgotten']);
  } finally {
    other.release(true);
  }
});

test('G2 nothing is let go of while the clocks of Postgres and of the host are more than a day apart, which is said', async () => {
  await ensurePartitions(pool, NOW - 40 * DAY_MS, 0);
  await ensurePartitions(pool, NOW);
  const done: HousekeepingDuty[] = [];
  const said: string[] = [];
  const housekeeping = new Housekeeping({
    pool,
    retentionDays: 30,
    deadLetterDays: 30,
    idempotencyHours: 24,
    onDone: (duty, details) => details === null || done.push(duty),
    onLeft: (duty) => expect.fail(duty),
    onExpired: () => {},
    onFailure: (duty, error) => said.push(`${duty}: ${(error as Error).message}`),
  });
  const before = await listPartitions(pool);
  const all = async (hostMs: number) => {
    await housekeeping.dropDays(NOW, hostMs);
    await housekeeping.runOnce(NOW, hostMs);
  };
  for (const hostMs of [NOW - DAY_MS - 1, NOW + DAY_MS + 1]) await all(hostMs);
  expect(await listPartitions(pool)).toEqual(before);
  expect([done, said.length]).toEqual([[], 2]);
  expect(said[0]).toContain(`partitions_dropped: By Postgres it is ${new Date(NOW).toISOString()}, by this host `);
  await all(NOW + DAY_MS);
  expect(done).toContain('partitions_dropped');
});

test('G2 what was set aside because it kills workers is not sent while its day is dropped, though the drop is interrupted', async () => {
  await ensurePartitions(pool, NOW - 40 * DAY_MS, 0);
  const deadly = uuidAt(NOW - 40 * DAY_MS);
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, parked, order_key, seq) VALUES ($1, 'infinity', 8, 1, 0, true, 0, 1)`,
    [deadly],
  );
  await pool.query(
    `INSERT INTO poisoned_deliveries (event_id, endpoint_num, tenant_num, crashes, reason) VALUES ($1, 8, 1, 3, 'x')`,
    [deadly],
  );
  await pool.query('CREATE TRIGGER refusing BEFORE DELETE ON mailbox FOR EACH ROW EXECUTE FUNCTION refuse()');
  await expect(dropOldPartitions(pool, NOW, 5, 5)).rejects.toThrow('not now');
  expect(await promoteAll(pool, [8])).toBe(0);
  await pool.query('DROP TRIGGER refusing ON mailbox');
  await dropAfterFailure();
  expect((await pool.query('SELECT FROM poisoned_deliveries')).rowCount).toBe(0);
});
