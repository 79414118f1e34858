import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { newUuid } from '../../src/domain/ids.ts';
import { cancelForDeletedEndpoints } from '../../src/store/cancel-deleted.ts';
import { saveEndpointStates } from '../../src/store/endpoint-states.ts';
import { inTransaction } from '../../src/store/in-transaction.ts';
import { acquireLanes, type LaneLease } from '../../src/store/lanes.ts';
import { promote } from '../../src/store/order.ts';
import { parkDeliveries, parkEndpoints, setBehind } from '../../src/store/park.ts';
import { type SettledAttempt, settle } from '../../src/store/settle.ts';
import { putOnTrial, reviewSuspects } from '../../src/store/suspects.ts';
import { eventually } from '../support/eventually.ts';
import { openPool } from '../support/open-pool.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';

let database: TestDatabase;
let pool: pg.Pool;
let holder: pg.PoolClient;
let leases: readonly LaneLease[];
/** Of endpoints 1 and 2. */
let rows: readonly { readonly eventUuid: string; readonly endpointNum: number; readonly attempt: number }[];

beforeAll(async () => {
  database = await createTestDatabase();
  pool = openPool(database.url, { max: 6, lock_timeout: 5_000 });
  await pool.query(`INSERT INTO tenants (num, id, name) VALUES (1, 'acme', '')`);
  await pool.query(
    `INSERT INTO endpoints (num, id, tenant_num, url) SELECT n, 'ep_' || n, 1, 'http://x/' FROM generate_series(1, 2) n`,
  );
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

beforeEach(async () => {
  leases = await acquireLanes(pool, 'owner', [0]);
  rows = [1, 2].map((endpointNum) => ({ eventUuid: newUuid(Date.now()), endpointNum, attempt: 0 }));
  await pool.query('DELETE FROM mailbox');
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, order_key, seq)
     SELECT id, now() - interval '1 ms', num, 1, 0, 7, num FROM unnest($1::uuid[], $2::int[]) AS r(id, num)`,
    [rows.map((row) => row.eventUuid), rows.map((row) => row.endpointNum)],
  );
  holder = await pool.connect();
  await holder.query('BEGIN');
});

afterEach(async () => {
  await holder.query('ROLLBACK');
  holder.release();
});

const lock = (client: pg.ClientBase, endpointNum: number) =>
  client.query('SELECT 1 FROM mailbox WHERE endpoint_num = $1 FOR UPDATE', [endpointNum]);
const found = async (where: string) =>
  (await pool.query(`SELECT endpoint_num FROM mailbox WHERE ${where} ORDER BY 1`)).rows.map((row) => row.endpoint_num);
const untilBlocked = () =>
  eventually(
    () => pool.query(`SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`),
    ({ rowCount }) => rowCount === 1,
  );

test.each<[string, () => Promise<unknown>, string]>([
  ['parking', () => parkDeliveries(pool, leases, rows), 'parked'],
  ['parking of a flood', () => parkEndpoints(pool, leases, [1, 2], 10), 'parked'],
  ['setting behind', () => setBehind(pool, leases, rows), `due_at = 'infinity'`],
])('%s passes over a row that another statement has, and waits for nobody', async (_what, run, where) => {
  await lock(holder, 1);
  await run();
  expect(await found(where)).toEqual([2]);
  await holder.query('ROLLBACK');
  await run();
  expect(await found(where)).toEqual([1, 2]);
});

test('the cancelling of what waits for deleted endpoints passes over such a row, and finds it the next time', async () => {
  await pool.query('UPDATE endpoints SET deleted_at = now()');
  await lock(holder, 1);
  await cancelForDeletedEndpoints(pool);
  expect(await found('true')).toEqual([1]);
  await holder.query('ROLLBACK');
  await cancelForDeletedEndpoints(pool);
  expect(await found('true')).toEqual([]);
  await pool.query('UPDATE endpoints SET deleted_at = NULL, cancelled_at = NULL');
});

test('promoting rows waits for them in the order of endpoint and event, whatever order the keys come in', async () => {
  await pool.query(`UPDATE mailbox SET parked = true, due_at = 'infinity'`);
  await lock(holder, 1);
  const promoted = promote(
    pool,
    [2, 1].map((endpointNum) => ({ endpointNum, key: 7 })),
  );
  await untilBlocked();
  // What comes later in the order is free as long as the statement waits for what comes first.
  const free = await pool.query('SELECT endpoint_num FROM mailbox ORDER BY 1 FOR UPDATE SKIP LOCKED');
  expect(free.rows).toEqual([{ endpoint_num: 2 }]);
  await holder.query('ROLLBACK');
  expect(await promoted).toBe(2);
});

const attemptOf = (endpointNum: number, eventUuid: string): SettledAttempt => ({
  endpointNum,
  eventUuid,
  tenantNum: 1,
  lane: 0,
  attempt: 1,
  isReplay: false,
  startedAtMs: 0,
  outcome: { kind: 'skipped', reason: 'withdrawn' },
  decision: { kind: 'cancel' },
  notice: null,
  mayPauseKey: false,
});

test('a settle gives its rows in that order', async () => {
  const valuesOf = async (keys: readonly (readonly [number, number])[]) => {
    let values: unknown[] = [];
    const query = async (statement: { values: unknown[] }) => {
      values = statement.values;
      return { rows: [] };
    };
    const attempts = keys.map(([endpointNum, event]) =>
      attemptOf(endpointNum, `00000000-0000-7000-8000-00000000000${event}`),
    );
    await settle({ query } as never, leases, attempts);
    return values;
  };
  const inOrder = await valuesOf([
    [1, 1],
    [1, 2],
    [2, 1],
    [2, 2],
  ]);
  expect(
    await valuesOf([
      [2, 2],
      [1, 2],
      [2, 1],
      [1, 1],
    ]),
  ).toEqual(inOrder);
});

test('F21: a transaction that loses a deadlock is run again, and both come to their end', async () => {
  const both = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let tries = 0;
  const take = (first: number, second: number, own: number) =>
    inTransaction(pool, async (client) => {
      tries++;
      await lock(client, first);
      both[own]!.resolve();
      await Promise.all(both.map(({ promise }) => promise));
      await lock(client, second);
      return own;
    });
  await holder.query('ROLLBACK');
  expect(await Promise.all([take(1, 2, 0), take(2, 1, 1)])).toEqual([0, 1]);
  expect(tries).toBe(3);
});

/** All that the owner of a lane may write. */
async function written(): Promise<string> {
  const tables = ['mailbox', 'attempts', 'system_notices', 'lane_suspects', 'endpoint_states'];
  const facts = tables.map((table) => `SELECT '${table}' || t::text AS fact FROM ${table} t`).join(' UNION ALL ');
  return (await pool.query(`SELECT string_agg(fact, chr(10) ORDER BY fact) AS all FROM (${facts}) AS facts`)).rows[0]
    .all;
}

const tried = () => rows.map((row) => ({ ...row, lane: 0, attempt: 0 }));
const states = () =>
  rows.map(({ endpointNum }) => ({ endpointNum, lane: 0, gate: {}, closedUntilMs: null, resets: 0, notices: [] }));
const crashed = () => leases.map((lease) => ({ ...lease, crashes: 2 }));

test.each<[string, () => Promise<unknown>, unknown]>([
  ['settles', () => settle(pool, leases, [attemptOf(1, rows[0]!.eventUuid)]), new Set()],
  ['parks', () => parkDeliveries(pool, leases, rows), []],
  ['parks of a flood', () => parkEndpoints(pool, leases, [1, 2], 10), { parked: [], ends: new Map() }],
  ['sets behind', () => setBehind(pool, leases, rows), undefined],
  ['puts on trial', () => putOnTrial(pool, leases, tried()), []],
  ['gives strikes to', () => reviewSuspects(pool, crashed()), { suspects: [], setAside: [] }],
  ['remembers of endpoints', () => saveEndpointStates(pool, leases, states()), undefined],
])('what an owner %s waits for a takeover that is under way, and then changes nothing', async (_what, run, nothing) => {
  await pool.query('DELETE FROM lane_suspects');
  await pool.query(
    'INSERT INTO lane_suspects (event_id, endpoint_num, lane, attempt, strikes, on_trial) VALUES ($1, 1, 0, 0, 0, true)',
    [rows[0]!.eventUuid],
  );
  const before = await written();
  await holder.query('UPDATE lanes SET epoch = epoch + 1 WHERE lane = 0');
  const done = run();
  expect(await Promise.race([untilBlocked().then(() => 'waits'), done.then(() => 'does not')])).toBe('waits');
  await holder.query('COMMIT');
  expect(await done).toEqual(nothing);
  expect(await written()).toBe(before);
});
