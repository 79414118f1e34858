import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { type MigrationWait, migrate } from '../../src/store/migrate.ts';
import { eventually } from '../support/eventually.ts';
import { query } from '../support/query.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';

const COMMAND = fileURLToPath(new URL('../../src/cli/migrate.ts', import.meta.url));
/** It wants endpoints for itself, and may be applied once more. */
const LOCKING = '20261130020000_subscription_bytes';
/** Of a session that waits for the lock of migrations. */
const IS_WAITING = `datname = current_database() AND application_name = 'posthorn-migrate' AND wait_event = 'advisory'`;
const LIMIT_MS = 3_000;

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase();
  await ask('DELETE FROM _prisma_migrations WHERE migration_name = $1', [LOCKING]);
  await ask('DROP TRIGGER endpoints_subscription_bytes ON endpoints');
  await ask('DROP FUNCTION count_subscription_bytes');
  await ask('ALTER TABLE endpoints DROP COLUMN subscription_bytes');
});

afterEach(() => database.drop());

const ask = (text: string, values: unknown[] = []) => query(database.url, text, values);

/** Somebody else's session, in a transaction that has done so much. */
async function holding(statement: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: database.url, application_name: 'nightly-dump' });
  client.on('error', () => {});
  await client.connect();
  onTestFinished(() => client.end());
  await client.query(`BEGIN; ${statement}`);
  return client;
}

const lockOfMigrations = () => holding('SELECT pg_advisory_xact_lock(7402)');

/** A migration under way, what it says, and the first that it says. */
function migrating() {
  const waits: MigrationWait[] = [];
  const first = Promise.withResolvers<MigrationWait>();
  const done = migrate(database.url, (wait) => {
    waits.push(wait);
    first.resolve(wait);
  });
  done.catch(first.reject);
  // Not every test asks for it.
  first.promise.catch(() => {});
  return { done, waits, first: first.promise };
}

test('a process that freezes while it migrates keeps the lock for some seconds, and then another one migrates', async () => {
  const holder = await lockOfMigrations();
  const child = spawn(process.execPath, [COMMAND], { env: { ...process.env, DATABASE_URL: database.url } });
  onTestFinished(() => void child.kill('SIGKILL'));
  await eventually(
    () => ask(`SELECT FROM pg_stat_activity WHERE ${IS_WAITING}`),
    ({ length }) => length === 1,
  );
  child.kill('SIGSTOP');
  // The frozen one has the lock now.
  await holder.query('COMMIT');
  expect(await migrate(database.url)).toEqual([LOCKING]);
  child.kill('SIGKILL');
  await once(child, 'exit');
});

test('nothing to migrate, nothing to wait for', async () => {
  await migrate(database.url);
  await lockOfMigrations();
  expect(await migrate(database.url)).toEqual([]);
});

test('whoever waits for another one that migrates says for whom, and waits for as long as it takes, whatever the database has for limits', async () => {
  const holder = await lockOfMigrations();
  const limits = ['statement_timeout', 'lock_timeout', 'transaction_timeout'];
  for (const { name } of await ask('SELECT name FROM pg_settings WHERE name = ANY($1)', [limits]))
    await ask(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET ${name} = ${LIMIT_MS}', current_database()); END $$`);
  const { done, first } = migrating();
  expect(await first).toEqual({ migration: null, waitsFor: expect.stringMatching(/^process \d+ \(nightly-dump, /) });
  const past = `SELECT FROM pg_stat_activity WHERE ${IS_WAITING} AND clock_timestamp() - query_start > $1 * interval '1 ms'`;
  await Promise.race([
    eventually(
      () => ask(past, [LIMIT_MS + 500]),
      ({ length }) => length === 1,
    ),
    done,
  ]);
  await holder.query('COMMIT');
  expect(await done).toEqual([LOCKING]);
});

test('a table that somebody else has locked is tried again, and let alone in between', async () => {
  const holder = await holding('LOCK TABLE endpoints IN ACCESS SHARE MODE');
  const { done, first } = migrating();
  expect(await first).toEqual({ migration: LOCKING, waitsFor: expect.stringMatching(/^process \d+ \(nightly-dump, /) });
  for (let times = 0; times < 3; times++) {
    // Behind a try, which takes longer than that, it would fail.
    const reader = await holding(`SET LOCAL lock_timeout = '300ms'; SELECT FROM endpoints`);
    await reader.query('COMMIT');
  }
  await holder.query('COMMIT');
  expect(await done).toEqual([LOCKING]);
});

test('where it stays locked, the migration fails and says who has it and what to do', async () => {
  await holding('LOCK TABLE endpoints IN ACCESS SHARE MODE');
  const { done } = migrating();
  await expect(done).rejects.toThrow(
    /Migration 20261130020000_subscription_bytes failed and was rolled back: .*\. process \d+ \(nightly-dump, .*pg_terminate_backend/,
  );
});

test('a migration waits for longer than autovacuum takes to give way', async () => {
  await ask(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = 1700', current_database()); END $$`);
  await ask('CREATE TABLE waits (ms int)');
  await ask(`
    CREATE FUNCTION note_wait() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO waits SELECT setting::int FROM pg_settings WHERE name = 'lock_timeout' AND TG_TAG = 'ALTER TABLE';
    END $$`);
  await ask('CREATE EVENT TRIGGER note_wait ON ddl_command_end EXECUTE FUNCTION note_wait()');
  await migrate(database.url);
  expect(await ask('SELECT DISTINCT ms FROM waits')).toEqual([{ ms: 2_200 }]);
});
