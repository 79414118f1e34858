import { checkPooler } from './check-pooler.ts';
import { checkSession } from './check-session.ts';
import { prepareLanes } from './lanes.ts';
import { findUnknownMigrations, migrate } from './migrate.ts';
import { ensurePartitions } from './partitions.ts';
import { createPool } from './pools.ts';

export interface PreparedDatabase {
  /** Migrations of a later version that the database has had. */
  readonly unknownMigrations: readonly string[];
}

/**
 * Makes the database fit for this version: migrations, lanes, and partitions for the days ahead. Many processes may do so at once.
 * @param areQueuesOnPostgres whether BullMQ goes by the same address
 * @throws UnsafeCommitError, PoolerError
 * @throws Error when a migration fails or `lanes` is not the number that the database was set up with.
 */
export async function prepareDatabase(
  databaseUrl: string,
  lanes: number,
  areQueuesOnPostgres = false,
): Promise<PreparedDatabase> {
  const pool = createPool({
    databaseUrl,
    name: 'setup',
    size: 2,
    connectMs: 10_000,
    statementMs: 30_000,
    onError: () => {},
  });
  try {
    // Before anything is changed.
    await checkPooler(pool, areQueuesOnPostgres);
    await checkSession(pool);
    await migrate(databaseUrl);
    await prepareLanes(pool, lanes);
    const { rows } = await pool.query<{ ms: number }>('SELECT (extract(epoch FROM now()) * 1000)::float8 AS ms');
    await ensurePartitions(pool, rows[0]!.ms);
    return { unknownMigrations: await findUnknownMigrations(pool) };
  } finally {
    await pool.end();
  }
}
