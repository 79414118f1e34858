import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { dropExpiredIdempotencyKeys } from '../../src/store/drop-expired-idempotency-keys.ts';
import { openPool } from '../support/open-pool.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';

/** Keys of events before it have expired. */
const NOW = '01800000-0000-7000-8000-000000000000';
const [OLD, YOUNG] = ['01700000', '01900000'];
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

beforeEach(async () => {
  await pool.query('TRUNCATE idempotency_keys');
});

const insert = (time: string, keys: number) =>
  pool.query(
    `INSERT INTO idempotency_keys (key, event_id, body_hash, deliveries)
     SELECT gen_random_uuid(), ($1 || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, gen_random_uuid(), 1 FROM generate_series(1, $2::int) n`,
    [time, keys],
  );
const count = async () => (await pool.query('SELECT count(*)::int AS count FROM idempotency_keys')).rows[0].count;
const pagesOf = async () =>
  (await pool.query(`SELECT (pg_relation_size('idempotency_keys') / 8192)::int AS pages`)).rows[0].pages;

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Shared Hit Blocks': number;
  readonly 'Shared Read Blocks': number;
  readonly Plans?: readonly PlanNode[];
}

const SCANS = ['Seq Scan', 'Sample Scan', 'Bitmap Heap Scan', 'Tid Range Scan'];

/** Pages that were read in search of rows: not those of rows that were found already. */
function pagesLookedAt(node: PlanNode): number {
  if (SCANS.includes(node['Node Type'])) return node['Shared Hit Blocks'] + node['Shared Read Blocks'];
  return (node.Plans ?? []).reduce((sum, child) => sum + pagesLookedAt(child), 0);
}

/** A pool that makes each statement twice, the first time to see what it costs. */
function watched(): { readonly pool: pg.Pool; readonly pages: () => number } {
  let pages = 0;
  const query = async (given: string | pg.QueryConfig, more?: unknown[]) => {
    const { text, values = [] } = typeof given === 'string' ? { text: given, values: more ?? [] } : given;
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      const { rows } = await client.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`, values);
      pages += pagesLookedAt(rows[0]['QUERY PLAN'][0].Plan);
      await client.query('ROLLBACK');
      return await client.query(text, values);
    } finally {
      client.release();
    }
  };
  return { pool: { query } as unknown as pg.Pool, pages: () => pages };
}

/** A table that keys have come to and gone from: its index believes that there are old ones everywhere. */
async function usedTable(): Promise<void> {
  await insert(OLD, 60_000);
  await pool.query('VACUUM idempotency_keys');
  await pool.query('DELETE FROM idempotency_keys');
  await pool.query('VACUUM (TRUNCATE false) idempotency_keys');
  await insert(YOUNG, 60_000);
}

test('forgetting expired keys looks through the table once, however many there are and wherever they stand', async () => {
  await usedTable();
  await insert(OLD, 45_000);
  await pool.query('VACUUM ANALYZE idempotency_keys');
  const { pool: counting, pages } = watched();
  expect(await dropExpiredIdempotencyKeys(counting, NOW)).toBe(45_000);
  expect(await count()).toBe(60_000);
  // Once, and the sample.
  expect(pages()).toBeLessThan(1.6 * (await pagesOf()));
});

test('where next to nothing has expired, a few pages are looked at and all is left as it is', async () => {
  await usedTable();
  await pool.query('VACUUM ANALYZE idempotency_keys');
  const { pool: counting, pages } = watched();
  expect(await dropExpiredIdempotencyKeys(counting, NOW)).toBe(0);
  expect(pages()).toBeLessThan(0.8 * (await pagesOf()));
});

test('two processes do not look for expired keys at once: one leaves it to the other', async () => {
  await insert(OLD, 10);
  const other = await pool.connect();
  try {
    await other.query('BEGIN');
    await other.query('SELECT pg_advisory_xact_lock(7406)');
    expect([await dropExpiredIdempotencyKeys(pool, NOW), await count()]).toEqual([0, 10]);
    await other.query('COMMIT');
  } finally {
    other.release(true);
  }
  expect([await dropExpiredIdempotencyKeys(pool, NOW), await count()]).toEqual([10, 0]);
});
