import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { newUuid } from '../../src/domain/ids.ts';
import { acquireLanes, releaseLanes } from '../../src/store/lanes.ts';
import { type Cursor, fetchDue, START, scanLimitOf } from '../../src/store/mailbox.ts';
import { parkDeliveries, parkEndpoints, setBehind } from '../../src/store/park.ts';
import { settle } from '../../src/store/settle.ts';
import { openPool } from '../support/open-pool.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';

let database: TestDatabase;
let pool: pg.Pool;
let row: { readonly eventUuid: string; readonly endpointNum: number; readonly attempt: number };

beforeAll(async () => {
  database = await createTestDatabase();
  pool = openPool(database.url, { max: 1 });
  await pool.query(`INSERT INTO tenants (num, id, name) VALUES (1, 'acme', '')`);
  await pool.query(`INSERT INTO endpoints (num, id, tenant_num, url) VALUES (1, 'ep_1', 1, 'http://x/')`);
});

beforeEach(async () => {
  row = { eventUuid: newUuid(Date.now()), endpointNum: 1, attempt: 0 };
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

test.each([
  ['parks nothing', parkDeliveries],
  ['sets nothing behind', setBehind],
  [
    'parks nothing of a flood',
    (_pool: pg.Pool, leases: Awaited<ReturnType<typeof take>>) => parkEndpoints(pool, leases, [1], 9),
  ],
])(
  'what comes after its lane was given back %s: whoever gave it back has said when it is to be looked at without knowing of it',
  async (_what, put) => {
    const leases = await take('owner');
    await releaseLanes(pool, 'owner', leases);
    await put(pool, leases, [row]);
    const { rows } = await pool.query('SELECT parked, isfinite(due_at) AS waits FROM mailbox');
    expect(rows).toEqual([{ parked: false, waits: true }]);
  },
);

test('of a flood that is parked unread it is told how many rows of which class it was', async () => {
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, step, replay_num)
     SELECT gen_random_uuid(), now() - interval '1 ms', 1, 1, 3, n / 2, CASE WHEN n > 3 THEN 1 END FROM generate_series(0, 6) n`,
  );
  const { parked } = await parkEndpoints(pool, await take('owner'), [1], 99);
  expect(new Map(parked.map(({ kind, rows }) => [kind, rows]))).toEqual(
    new Map([
      ['first', 3],
      ['retry', 2],
      ['replay', 3],
    ]),
  );
  expect((await parkEndpoints(pool, await take('owner'), [1], 99)).parked).toEqual([]);
});

/** So many rows of an endpoint, due one after the other, the first of them so many ms from an hour ago. */
const addRows = (endpointNum: number, count: number, fromMs: number) =>
  pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane)
     SELECT gen_random_uuid(), now() - interval '1 h' + ($3 + n) * interval '1 ms', $1, 1, 3 FROM generate_series(1, $2) n`,
    [endpointNum, count, fromMs],
  );

test('the parking of a flood looks at so many rows and no more, says where it ended, and goes on there', async () => {
  const limit = 9;
  const scanLimit = scanLimitOf({ limit }, 1, 0);
  await pool.query('DELETE FROM mailbox');
  await addRows(2, scanLimit - 1, 0);
  await addRows(1, 12, scanLimit);
  const leases = (await take('owner')).filter(({ lane }) => lane === 3);
  const found: number[] = [];
  let after: ReadonlyMap<number, Cursor> = new Map();
  for (let round = 0; round < 3; round++) {
    const { parked, ends } = await parkEndpoints(pool, leases, [1], limit, after);
    found.push(parked.reduce((sum, { rows }) => sum + rows, 0));
    after = ends;
  }
  // The last row that it may look at is of the flood; nine more are all that a statement parks; two are left.
  expect([found, after.size]).toEqual([[1, 9, 2], 0]);
  const { rows } = await pool.query('SELECT endpoint_num, count(*)::int FROM mailbox WHERE parked GROUP BY 1');
  expect(rows).toEqual([{ endpoint_num: 1, count: 12 }]);
});

test('where nothing of a flood is among the rows that are looked at, it ends at the last of them, in each lane by itself', async () => {
  const leases = await take('owner');
  const scanLimit = scanLimitOf({ limit: 9 }, leases.length, 0);
  await pool.query('DELETE FROM mailbox');
  await addRows(2, scanLimit, 0);
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane) VALUES (gen_random_uuid(), now() - interval '1 ms', 1, 1, 4)`,
  );
  const { parked, ends } = await parkEndpoints(pool, leases, [1], 9);
  expect(parked).toEqual([{ endpointNum: 1, kind: 'first', rows: 1 }]);
  const { rows } = await pool.query('SELECT event_id FROM mailbox ORDER BY due_at DESC LIMIT 1 OFFSET 1');
  expect([...ends]).toMatchObject([[3, { eventUuid: rows[0].event_id, endpointNum: 2 }]]);
});

const state = async () => (await pool.query('SELECT parked, isfinite(due_at) AS waits FROM mailbox')).rows;

test.each([
  ['parked', parkDeliveries],
  ['set behind', setBehind],
])('only what is due is %s: one that waits for its retry stays where it will be fetched', async (_what, put) => {
  await pool.query(`UPDATE mailbox SET due_at = now() + interval '1 hour'`);
  await put(pool, await take('owner'), [row]);
  expect(await state()).toEqual([{ parked: false, waits: true }]);
});

test.each([
  ['parked', parkDeliveries],
  ['set behind', setBehind],
])('what was sent since that was decided is not %s, though it is due again', async (_what, put) => {
  await pool.query('UPDATE mailbox SET attempt = 1, step = 1');
  const leases = await take('owner');
  await put(pool, leases, [row]);
  expect(await state()).toEqual([{ parked: false, waits: true }]);
  await put(pool, leases, [{ ...row, attempt: 1 }]);
  expect(await state()).toMatchObject([{ parked: true }]);
});

test('of what is parked it is told how many rows of which class it is now: one may have been retried by hand since it was read', async () => {
  const leases = await take('owner');
  await pool.query('UPDATE mailbox SET replay_num = 1');
  const others = [newUuid(Date.now()), newUuid(Date.now())].map((eventUuid) => ({ ...row, eventUuid, attempt: 2 }));
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, attempt, step)
     SELECT unnest($1::uuid[]), now() - interval '1 ms', 1, 1, 3, 2, 1`,
    [others.map(({ eventUuid }) => eventUuid)],
  );
  const parked = await parkDeliveries(pool, leases, [row, ...others, { ...row, attempt: 1 }]);
  expect(new Map(parked.map(({ endpointNum, kind, rows }) => [kind, [endpointNum, rows]]))).toEqual(
    new Map([
      ['retry', [1, 2]],
      ['replay', [1, 1]],
    ]),
  );
  expect(await parkDeliveries(pool, leases, [row, ...others])).toEqual([]);
});

test('a parked delivery whose attempt is to be made again is parked no longer: the fetch finds it', async () => {
  const leases = await take('owner');
  await parkDeliveries(pool, leases, [row]);
  const made = {
    ...row,
    tenantNum: 1,
    lane: 3,
    attempt: 1,
    isReplay: false,
    startedAtMs: Date.now(),
    outcome: { kind: 'skipped', reason: 'withdrawn' },
    decision: { kind: 'retry', delayMs: 0 },
    notice: null,
    mayPauseKey: false,
  } as const;
  await settle(pool, leases, [made]);
  const { rows: due } = await fetchDue(pool, [{ lane: 3, after: START, limit: 9 }], {
    endpoints: [],
    tenants: [],
    rows: [],
  });
  expect(due).toMatchObject([{ ...row, attempt: 1 }]);
});
