import { createHash, randomUUID } from 'node:crypto';
import pg from 'pg';
import { addressOf } from '../config/postgres-url.ts';
import { explainDatabase } from './database-error.ts';
import type { Queryable } from './in-transaction.ts';
import { listMigrations, type MigrationFile } from './migration-files.ts';

/** Serialises migrations of processes that start together. Any fixed number will do; 7402 is ours. */
const MIGRATION_LOCK = 7402;

/** How a script begins whose one statement is run in a transaction of its own again and again, until it changes nothing: so that it holds few rows, and not for long. */
const IN_PARTS = '-- In parts.';

/** What migrations were that have been changed before any release: a database that has had the former one lacks nothing. */
const FORMER_CHECKSUMS: ReadonlyMap<string, string> = new Map([
  ['20261130020000_subscription_bytes', 'b0a7d394bbb51bab2c2c0ff788fd6df75ccc191a481757aeebc57c4b0962aaa5'],
]);

/** As `prisma migrate` creates it, so that Prisma's own tools read the history. */
const CREATE_HISTORY = `
  CREATE TABLE IF NOT EXISTS _prisma_migrations (
    id VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum VARCHAR(64) NOT NULL,
    finished_at TIMESTAMPTZ,
    migration_name VARCHAR(255) NOT NULL,
    logs TEXT,
    rolled_back_at TIMESTAMPTZ,
    started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count INTEGER NOT NULL DEFAULT 0
  )`;

/**
 * Brings the database to the newest migration: each one (or the end of one in parts) and its line of history in one transaction. Safe to run from many
 * processes at once: one applies, the others wait and find nothing to do.
 * @returns the names of the migrations that this call applied.
 * @throws DatabaseError when Postgres is not reached or does not let us; Error when a migration fails, or when an applied one was edited afterwards: nothing of the
 * failed one stays.
 */
export async function migrate(databaseUrl: string): Promise<readonly string[]> {
  try {
    return await applyPending(databaseUrl, await listMigrations());
  } catch (error) {
    throw explainDatabase(databaseUrl, error);
  }
}

/** What was applied to the database and this version does not have: it is of a later one. */
export async function findUnknownMigrations(db: Queryable): Promise<readonly string[]> {
  const files = await listMigrations();
  const { rows } = await db.query<{ name: string }>(
    `SELECT migration_name AS name FROM _prisma_migrations
      WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL AND migration_name <> ALL ($1::text[]) ORDER BY 1`,
    [files.map(({ name }) => name)],
  );
  return rows.map(({ name }) => name);
}

async function applyPending(databaseUrl: string, files: readonly MigrationFile[]): Promise<readonly string[]> {
  const client = new pg.Client({
    ...addressOf(databaseUrl),
    application_name: 'posthorn-migrate',
    connectionTimeoutMillis: 10_000,
  });
  // A connection that breaks rejects the query under way as well; without a handler the event would end the process.
  client.on('error', () => {});
  await client.connect();
  const applied: string[] = [];
  try {
    for (let name = await applyNext(client, files); name !== null; name = await applyNext(client, files))
      applied.push(name);
    return applied;
  } finally {
    await client.end();
  }
}

/**
 * In one transaction, which holds the lock: one that a session held would stay with the session where a pooler gives that to others.
 * @returns the name of the migration that was applied; null where none is left
 * @throws Error: the connection is to be closed then, and the transaction ends with it
 */
async function applyNext(client: pg.Client, files: readonly MigrationFile[]): Promise<string | null> {
  // Whatever the role has for a default: what is read behind the lock has to be what others committed meanwhile.
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED');
  await client.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
  const [next] = await pendingMigrations(client, files);
  const isApplied = next === undefined || (await apply(client, next));
  await client.query('COMMIT');
  return isApplied ? (next?.name ?? null) : applyNext(client, files);
}

async function pendingMigrations(client: pg.Client, files: readonly MigrationFile[]): Promise<MigrationFile[]> {
  await client.query(CREATE_HISTORY);
  const { rows } = await client.query<{ migration_name: string; checksum: string }>(
    'SELECT migration_name, checksum FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL',
  );
  const applied = new Map(rows.map((row) => [row.migration_name, row.checksum]));
  return files.filter((file) => {
    const checksum = applied.get(file.name);
    if (checksum !== undefined && checksum !== checksumOf(file) && checksum !== FORMER_CHECKSUMS.get(file.name)) {
      throw new Error(
        `Migration ${file.name} was edited after it had been applied. Restore the file and add a new migration instead.`,
      );
    }
    return checksum === undefined;
  });
}

/** @returns false where another part of it is left */
async function apply(client: pg.Client, migration: MigrationFile): Promise<boolean> {
  try {
    // A migration waits for no lock longer than this: behind a waiting ALTER every reader and writer would queue up.
    await client.query(`SET LOCAL lock_timeout = '1s'`);
    const { rowCount } = await client.query(migration.script);
    if (migration.script.startsWith(IN_PARTS) && rowCount !== 0) return false;
    await client.query(
      `INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count) VALUES ($1, $2, $3, now(), 1)`,
      [randomUUID(), checksumOf(migration), migration.name],
    );
    return true;
  } catch (error) {
    throw new Error(`Migration ${migration.name} failed and was rolled back: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Prisma's checksum: SHA-256 of the script, in hex. */
function checksumOf(migration: MigrationFile): string {
  return createHash('sha256').update(migration.script).digest('hex');
}
