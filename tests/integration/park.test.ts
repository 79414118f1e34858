import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { newUuid } from '../../src/domain/ids.ts';
import { acquireLanes } from '../../src/store/lanes.ts';
import { fetchDue, START } from '../../src/store/mailbox.ts';
import { parkDeliveries, parkEndpoints, setBehind } from '../../src/store/park.ts';
import { settle } from '../../src/store/settle.ts';
import { openPool } from '../support/open-pool.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';

let database: TestDatabase;
let pool: pg.Pool;
let row: { readonly eventUuid: string; readonly endpointNum: number };

beforeAll(async () => {
  database = await createTestDatabase();
  pool = openPool(database.url, { max: 1 });
  await pool.query(`INSERT INTO tenants (num, id, name) VALUES (1, 'acme', '')`);
  await pool.query(`INSERT INTO endpoints (num, id, tenant_num, url) VALUES (1, 'ep_1', 1, 'http://x/')`);
});

beforeEach(async () => {
  row = { eventUuid: newUuid(Date.now()), endpointNum: 1 };
  await pool.query('DELETE FROM mailbox');
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, order_key, seq) VALUES ($1, now() - interval '1 ms', 1, 1, 3, 1, 1)`,
    [row.eventUuid],
  );
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

/** Takes two lanes, that of the row and another; whoever has them loses them. */
async function take(owner: string) {
  await pool.query(`UPDATE lanes SET leased_until = '-infinity'`);
  return acquireLanes(pool, owner, [3, 4]);
}

test.each([
  ['parks nothing', parkDeliveries, 'parked'],
  ['sets nothing behind', setBehind, `due_at = 'infinity'`],
])(
  'a former owner of a lane %s: only the owner may take rows from where they are fetched',
  async (_what, put, isAside) => {
    const isPut = async () => (await pool.query(`SELECT ${isAside} AS is FROM mailbox`)).rows[0].is;
    const former = await take('former');
    const leases = await take('owner');
    const ofOther = leases.filter(({ lane }) => lane === 4);
    await put(pool, former, [row]);
    await put(pool, ofOther, [row]);
    expect(await isPut()).toBe(false);
    await put(pool, leases, [row]);
    expect(await isPut()).toBe(true);
  },
);

test('of a flood that is parked unread it is told how many rows of which class it was', async () => {
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, step, replay_num)
     SELECT gen_random_uuid(), now() - interval '1 ms', 1, 1, 3, n / 2, CASE WHEN n > 3 THEN 1 END FROM generate_series(0, 6) n`,
  );
  const parked = await parkEndpoints(pool, await take('owner'), [1], 99);
  expect(new Map(parked.map(({ kind, rows }) => [kind, rows]))).toEqual(
    new Map([
      ['first', 3],
      ['retry', 2],
      ['replay', 3],
    ]),
  );
  expect(await parkEndpoints(pool, await take('owner'), [1], 99)).toEqual([]);
});

test('only what is due is set behind: one that waits for its retry stays where it will be fetched', async () => {
  await pool.query(`UPDATE mailbox SET due_at = now() + interval '1 hour'`);
  await setBehind(pool, await take('owner'), [row]);
  const { rows } = await pool.query('SELECT parked, isfinite(due_at) AS waits FROM mailbox');
  expect(rows).toEqual([{ parked: false, waits: true }]);
});

test('a parked delivery whose attempt is to be made again is parked no longer: the fetch finds it', async () => {
  const leases = await take('owner');
  await parkDeliveries(pool, leases, [row]);
  const attempt = {
    ...row,
    tenantNum: 1,
    lane: 3,
    attempt: 1,
    isReplay: false,
    startedAtMs: Date.now(),
    outcome: { kind: 'skipped', reason: 'withdrawn' },
    decision: { kind: 'retry', delayMs: 0 },
    notice: null,
    pauses: false,
  } as const;
  await settle(pool, leases, [attempt]);
  const { rows: due } = await fetchDue(pool, [{ lane: 3, after: START, limit: 9 }], {
    endpoints: [],
    tenants: [],
    rows: [],
  });
  expect(due).toMatchObject([{ ...row, attempt: 1 }]);
});
