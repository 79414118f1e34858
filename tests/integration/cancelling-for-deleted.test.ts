import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { newUuid } from '../../src/domain/ids.ts';
import { cancelForDeletedEndpoints, reopenDeletedEndpoints } from '../../src/store/cancel-deleted.ts';
import { openPool } from '../support/open-pool.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';

let database: TestDatabase;
let pool: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = openPool(database.url, { max: 3 });
  await pool.query(`INSERT INTO tenants (num, id, name) VALUES (1, 'acme', '')`);
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

beforeEach(async () => {
  await pool.query('DELETE FROM mailbox');
  await pool.query('DELETE FROM endpoints');
});

/** As any version deletes them, an hour ago the first. */
const addDeleted = (count: number) =>
  pool.query(
    `INSERT INTO endpoints (num, id, tenant_num, url, deleted_at)
     SELECT i, 'ep_' || i, 1, 'http://x/', now() - interval '1 hour' + i * interval '1 ms' FROM generate_series(1, $1::int) i`,
    [count],
  );

async function addDeliveries(endpointNum: number, count: number): Promise<void> {
  const ids = Array.from({ length: count }, () => newUuid(Date.now()));
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, parked) SELECT id, 'infinity', $2, 1, 0, true FROM unnest($1::uuid[]) AS ids(id)`,
    [ids, endpointNum],
  );
}

const waiting = async () => (await pool.query('SELECT count(*)::int AS n FROM mailbox')).rows[0].n;
const marked = async () =>
  (await pool.query('SELECT num FROM endpoints WHERE cancelled_at IS NOT NULL ORDER BY 1')).rows.map(({ num }) => num);

async function cancelAll(): Promise<number> {
  for (let statements = 1; ; statements++) if (!(await cancelForDeletedEndpoints(pool))) return statements;
}

test('G4: a deleted endpoint is looked at until nothing waits for it, and never again', async () => {
  await addDeleted(3);
  await addDeliveries(2, 1_500);
  await cancelAll();
  expect(await waiting()).toBe(0);
  await cancelAll();
  expect(await marked()).toEqual([1, 2, 3]);
  await addDeliveries(2, 1);
  await cancelAll();
  // Nobody has looked.
  expect(await waiting()).toBe(1);
});

test('what another has locked meanwhile still counts as waiting', async () => {
  await addDeleted(2);
  await addDeliveries(1, 2);
  const holder = await pool.connect();
  try {
    await holder.query('BEGIN');
    await holder.query('SELECT 1 FROM mailbox LIMIT 1 FOR UPDATE');
    for (let look = 0; look < 3; look++) await cancelForDeletedEndpoints(pool);
    expect({ waiting: await waiting(), marked: await marked() }).toEqual({ waiting: 1, marked: [2] });
  } finally {
    await holder.query('ROLLBACK');
    holder.release();
  }
  await cancelAll();
  await cancelAll();
  expect({ waiting: await waiting(), marked: await marked() }).toEqual({ waiting: 0, marked: [1, 2] });
});

test('two workers look at endpoints of their own, and neither waits for the other', async () => {
  await addDeleted(2);
  const holder = await pool.connect();
  try {
    await holder.query('BEGIN');
    await holder.query('SELECT 1 FROM endpoints WHERE num = 1 FOR NO KEY UPDATE');
    await cancelForDeletedEndpoints(pool);
    expect(await marked()).toEqual([2]);
  } finally {
    await holder.query('ROLLBACK');
    holder.release();
  }
});

test('many that an earlier version left are gone through once, in pieces, those with a backlog too', async () => {
  await addDeleted(3_500);
  for (const num of [1, 1_200, 3_500]) await addDeliveries(num, 2);
  expect(await cancelAll()).toBeLessThan(8);
  await cancelAll();
  expect(await waiting()).toBe(0);
  expect(await marked()).toHaveLength(3_500);
  expect(await cancelAll()).toBe(1);
});

test('what comes to a deleted endpoint after all of it was cancelled is found by who has something waiting, and cancelled', async () => {
  await addDeleted(2_500);
  await pool.query('UPDATE endpoints SET cancelled_at = now()');
  for (let num = 1; num <= 2_500; num += 2) await addDeliveries(num, 1);
  await pool.query(`INSERT INTO endpoints (num, id, tenant_num, url) VALUES (3000, 'ep_there', 1, 'http://x/')`);
  await addDeliveries(3_000, 1);
  let looks = 0;
  for (let after: number | null = 0; after !== null; looks++) after = await reopenDeletedEndpoints(pool, after);
  expect(looks).toBe(3);
  await cancelAll();
  expect((await pool.query('SELECT endpoint_num FROM mailbox')).rows).toEqual([{ endpoint_num: 3_000 }]);
  await cancelAll();
  expect(await marked()).toHaveLength(2_500);
});

test('a look reads no deleted endpoint that is done with', async () => {
  await addDeleted(5_000);
  await pool.query('UPDATE endpoints SET cancelled_at = now() WHERE num > 3');
  await pool.query('ANALYZE endpoints');
  const client = await pool.connect();
  const readSoFar = async () =>
    (
      await client.query(
        `SELECT (seq_tup_read + idx_tup_fetch)::int AS read FROM pg_stat_xact_user_tables WHERE relname = 'endpoints'`,
      )
    ).rows[0].read;
  try {
    await client.query('BEGIN');
    const before = await readSoFar();
    await cancelForDeletedEndpoints(client as unknown as pg.Pool);
    expect((await readSoFar()) - before).toBeLessThan(20);
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
});
