import { createHash, randomUUID } from 'node:crypto';
import type { Queryable } from './in-transaction.ts';
import { listMigrations, type MigrationFile } from './migration-files.ts';

/** The former checksums of migrations that were changed before any release: a database that has had the former one lacks nothing. */
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

export async function createHistory(db: Queryable): Promise<void> {
  await db.query(CREATE_HISTORY);
}

/**
 * @returns those that were not applied yet; all where there is no history
 * @throws Error when one was edited after it had been applied
 */
export async function pendingMigrations(db: Queryable, files: readonly MigrationFile[]): Promise<MigrationFile[]> {
  const applied = await readHistory(db);
  return files.filter((file) => {
    const checksum = applied.get(file.name);
    if (checksum !== undefined && !isOf(checksum, file)) {
      throw new Error(
        `Migration ${file.name} was edited after it had been applied. Restore the file and add a new migration instead.`,
      );
    }
    return checksum === undefined;
  });
}

/** Whether it is the script's checksum, or a former one's, or what former versions noted where git had written line ends of Windows. */
function isOf(checksum: string, { name, script }: MigrationFile): boolean {
  return (
    checksum === checksumOf(script) ||
    checksum === FORMER_CHECKSUMS.get(name) ||
    checksum === checksumOf(script.replaceAll('\n', '\r\n'))
  );
}

/** @returns the checksums of those that were applied, by name */
async function readHistory(db: Queryable): Promise<ReadonlyMap<string, string>> {
  const { rows: found } = await db.query(`SELECT FROM pg_class WHERE oid = to_regclass('_prisma_migrations')`);
  if (found.length === 0) return new Map();
  const { rows } = await db.query<{ migration_name: string; checksum: string }>(
    'SELECT migration_name, checksum FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL',
  );
  return new Map(rows.map((row) => [row.migration_name, row.checksum]));
}

/** A migration was applied to its end. */
export async function noteMigration(db: Queryable, migration: MigrationFile): Promise<void> {
  await db.query(
    `INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count) VALUES ($1, $2, $3, now(), 1)`,
    [randomUUID(), checksumOf(migration.script), migration.name],
  );
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

/** Prisma's checksum: SHA-256 of the script, in hex. */
function checksumOf(script: string): string {
  return createHash('sha256').update(script).digest('hex');
}
