import { createHash } from 'node:crypto';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { migrate } from '../../src/store/migrate.ts';
import { listMigrations } from '../../src/store/migration-files.ts';
import { openPool } from '../support/open-pool.ts';
import { query } from '../support/query.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';

const COUNTING = '20261130020000_subscription_bytes';
const OLD_ONES = '20261130035000_old_subscription_bytes';

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase();
});

afterEach(() => database.drop());

const ask = (text: string, values: unknown[] = []) => query(database.url, text, values);
const scriptOf = async (wanted: string) => (await listMigrations()).find(({ name }) => name === wanted)!.script;

/** Endpoints that were there before their subscriptions were counted. */
async function addOld(count: number): Promise<void> {
  await ask(`INSERT INTO tenants (num, id, name) VALUES (1, 'acme', '')`);
  await ask(
    `INSERT INTO endpoints (id, tenant_num, url) SELECT 'ep_' || i, 1, 'http://x/' FROM generate_series(1, $1::int) i`,
    [count],
  );
  await ask('UPDATE endpoints SET subscription_bytes = 0');
}

async function forget(migration: string): Promise<void> {
  await ask('DELETE FROM _prisma_migrations WHERE migration_name = $1', [migration]);
}

/** What a script locks of the endpoints. */
async function locksOf(script: string): Promise<string[]> {
  const pool = openPool(database.url, { max: 1 });
  onTestFinished(() => pool.end());
  await pool.query('BEGIN');
  await pool.query(script);
  const { rows } = await pool.query<{ mode: string }>(
    `SELECT mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'endpoints'::regclass ORDER BY mode`,
  );
  await pool.query('COMMIT');
  return rows.map(({ mode }) => mode);
}

test('what has the endpoints for itself counts the subscriptions of none of them, and what counts them locks rows alone', async () => {
  await addOld(1);
  await ask('DROP TRIGGER endpoints_subscription_bytes ON endpoints');
  await ask('DROP FUNCTION count_subscription_bytes');
  await ask('ALTER TABLE endpoints DROP COLUMN subscription_bytes');
  const bytes = async () => (await ask('SELECT subscription_bytes AS n FROM endpoints')).map(({ n }) => n);
  expect(await locksOf(await scriptOf(COUNTING))).toContain('AccessExclusiveLock');
  expect(await bytes()).toEqual([0]);
  expect(['AccessShareLock', 'RowExclusiveLock', 'RowShareLock']).toEqual(
    expect.arrayContaining(await locksOf(await scriptOf(OLD_ONES))),
  );
  expect(await bytes()).toEqual([2]);
});

test('a migration in parts has a transaction for each, waits for no row that somebody holds, and is on record when nothing is left', async () => {
  await addOld(2_500);
  await forget(OLD_ONES);
  const holder = openPool(database.url, { max: 1 });
  onTestFinished(() => holder.end());
  await holder.query('BEGIN');
  await holder.query(`SELECT FROM endpoints WHERE id = 'ep_7' FOR UPDATE`);
  expect(await migrate(database.url)).toEqual([OLD_ONES]);
  await holder.query('COMMIT');
  expect(
    await ask(
      'SELECT count(*)::int AS endpoints, count(DISTINCT xmin::text)::int AS transactions FROM endpoints WHERE subscription_bytes = 2',
    ),
  ).toEqual([{ endpoints: 2_499, transactions: 3 }]);
  expect(await migrate(database.url)).toEqual([]);
});

test('a database that has had a migration as it was before any release goes on working; any other that was edited is refused', async () => {
  const setChecksum = (checksum: string) =>
    ask('UPDATE _prisma_migrations SET checksum = $2 WHERE migration_name = $1', [COUNTING, checksum]);
  await setChecksum('b0a7d394bbb51bab2c2c0ff788fd6df75ccc191a481757aeebc57c4b0962aaa5');
  expect(await migrate(database.url)).toEqual([]);
  await setChecksum('0'.repeat(64));
  await expect(migrate(database.url)).rejects.toThrow(`Migration ${COUNTING} was edited after it had been applied`);
});

test('line ends of Windows, which git may have written into a clone, make no other migration', async () => {
  const withReturns = (await listMigrations()).map(({ name, script }) => ({
    name,
    script: script.replaceAll('\n', '\r\n'),
  }));
  const checksum = (script: string) => createHash('sha256').update(script).digest('hex');
  for (const { name, script } of withReturns)
    await ask('UPDATE _prisma_migrations SET checksum = $2 WHERE migration_name = $1', [name, checksum(script)]);
  expect(await migrate(database.url)).toEqual([]);
});
