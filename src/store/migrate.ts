import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { addressOf } from '../config/postgres-url.ts';
import { watchWait } from './blockers.ts';
import { checkServer } from './check-server.ts';
import { explainDatabase } from './database-error.ts';
import { isDeadlockOrTimeout } from './lock-errors.ts';
import { listMigrations, type MigrationFile } from './migration-files.ts';
import { createHistory, noteMigration, pendingMigrations } from './migration-history.ts';
import { AWAIT_STRONG_LOCK } from './strong-lock.ts';

/** Serialises migrations of processes that start together. Any fixed number will do; 7402 is ours. */
const MIGRATION_LOCK = 7402;

/**
 * How a script begins that is run in parts: it has one statement, which is run again and again, each time in a transaction of its own,
 * until it changes nothing. So it holds few rows, and not for long.
 */
const IN_PARTS = '-- In parts.';

/**
 * Settings of the transaction, whatever the defaults of the role are. What is read behind the lock must be what others committed before it
 * was given, and waiting for the lock may take any time. A process that freezes or vanishes on the way must keep neither the lock nor
 * tables from all others. The settings are of the transaction, so that they hold behind poolers too. Only Postgres 17 and later has
 * `transaction_timeout`.
 */
const BEGIN = `
  BEGIN ISOLATION LEVEL READ COMMITTED;
  SET LOCAL idle_in_transaction_session_timeout = '10s';
  SET LOCAL statement_timeout = 0;
  SET LOCAL lock_timeout = 0;
  SELECT set_config(name, '0', true) FROM pg_settings WHERE name = 'transaction_timeout'`;

/**
 * How often a migration is tried that does not get a lock, and how long others have their turn in between, in ms: less than the transaction
 * may be idle.
 */
const MAX_TRIES = 3;
const PAUSE_MS = 2_000;
const FREE_IT =
  'A dump, a report or a transaction that somebody left open: wait until it is done, or end it (SELECT pg_terminate_backend(…) with its process number), then start again.';

/** What a migration waits for. */
export interface MigrationWait {
  /** The migration that found a table locked; null: somebody else is migrating. */
  readonly migration: string | null;
  /** For people. */
  readonly waitsFor: string;
}

/**
 * Brings the database to the newest migration. Each migration (or the last part of one in parts) is applied in one transaction with its
 * line of history. Any number of processes may do this at once: one applies, and the others wait and find nothing to do. If there is
 * nothing to do, it waits for nobody.
 * @param onWait called after a second in which somebody else was migrating, and every ten seconds from then on; and each time that a
 * migration did not get a lock
 * @returns the names of the migrations that this call applied.
 * @throws UnfitServerError, before anything is changed
 * @throws DatabaseError when Postgres is not reached or does not let us; Error when a migration fails, or when an applied one was edited
 * afterwards: nothing of the failed one stays.
 */
export async function migrate(
  databaseUrl: string,
  onWait: (wait: MigrationWait) => void = () => {},
): Promise<readonly string[]> {
  try {
    return await applyPending({ databaseUrl, onWait }, await listMigrations());
  } catch (error) {
    throw explainDatabase(databaseUrl, error);
  }
}

interface Asked {
  readonly databaseUrl: string;
  readonly onWait: (wait: MigrationWait) => void;
}

interface Migrating extends Asked {
  readonly client: pg.Client;
}

async function applyPending(asked: Asked, files: readonly MigrationFile[]): Promise<readonly string[]> {
  const client = new pg.Client({
    ...addressOf(asked.databaseUrl),
    application_name: 'posthorn-migrate',
    connectionTimeoutMillis: 10_000,
    // Otherwise a wait for a lock would never learn that the server is gone.
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  // A connection that breaks rejects the query under way as well; without a handler the event would end the process.
  client.on('error', () => {});
  await client.connect();
  const applied: string[] = [];
  try {
    await checkServer(client);
    while ((await pendingMigrations(client, files)).length > 0) {
      const name = await applyNext({ ...asked, client }, files);
      if (name !== null) applied.push(name);
    }
    return applied;
  } finally {
    await client.end();
  }
}

/**
 * Applies the next migration, or a part of it, in one transaction. The transaction holds the lock: behind a pooler, a lock of the session
 * would stay with the session when that goes to others.
 * @returns the name of the migration that was applied to its end; null if none was left, or if more parts of it are
 * @throws Error: the connection is to be closed then, and the transaction ends with it
 */
async function applyNext(migrating: Migrating, files: readonly MigrationFile[]): Promise<string | null> {
  const { client } = migrating;
  await client.query(BEGIN);
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const { pid } = rows[0]!;
  await takeLock(migrating, pid);
  await createHistory(client);
  const [next] = await pendingMigrations(client, files);
  const isApplied = next !== undefined && (await apply(migrating, pid, next));
  await client.query('COMMIT');
  return isApplied ? next.name : null;
}

async function takeLock({ client, databaseUrl, onWait }: Migrating, pid: number): Promise<void> {
  const onBlocked = (waitsFor: string) => onWait({ migration: null, waitsFor });
  await watchWait({ databaseUrl, pid, firstMs: 1_000, everyMs: 10_000, onBlocked }, () =>
    client.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK]),
  );
}

/** @returns false if more parts of it are left */
async function apply(migrating: Migrating, pid: number, migration: MigrationFile): Promise<boolean> {
  try {
    const rowCount = await runScript(migrating, pid, migration);
    if (migration.script.startsWith(IN_PARTS) && rowCount !== 0) return false;
    await noteMigration(migrating.client, migration);
    return true;
  } catch (error) {
    const { code, message } = error as { readonly code?: string; readonly message: string };
    throw Object.assign(
      new Error(`Migration ${migration.name} failed and was rolled back: ${message}`, { cause: error }),
      { code },
    );
  }
}

/**
 * Runs a script, again if somebody else has locked what it needs. No wait for a lock is long, because every reader and writer queues up
 * behind a waiting ALTER; between two tries they have their turn.
 * @returns how many rows the script changed, if it is one statement
 */
async function runScript(migrating: Migrating, pid: number, { name, script }: MigrationFile): Promise<number | null> {
  const { client, databaseUrl, onWait } = migrating;
  let waitsFor = 'who has it could not be found out';
  const onBlocked = (blockers: string) => {
    waitsFor = blockers;
  };
  for (let tries = 1; ; tries++) {
    await client.query(`SAVEPOINT script; ${AWAIT_STRONG_LOCK}`);
    try {
      const { rowCount } = await watchWait({ databaseUrl, pid, firstMs: 400, everyMs: 200, onBlocked }, () =>
        client.query(script),
      );
      return rowCount;
    } catch (error) {
      if (!isDeadlockOrTimeout(error)) throw error;
      if (tries === MAX_TRIES)
        throw new Error(`${(error as Error).message}. ${waitsFor}. ${FREE_IT}`, { cause: error });
      await client.query('ROLLBACK TO script');
      onWait({ migration: name, waitsFor });
      await sleep(PAUSE_MS);
    }
  }
}
