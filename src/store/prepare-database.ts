import { checkPooler } from './check-pooler.ts';
import { checkSession } from './check-session.ts';
import { prepareLanes } from './lanes.ts';
import { type MigrationWait, migrate } from './migrate.ts';
import { findUnknownMigrations } from './migration-history.ts';
import { ensurePartitions } from './partitions.ts';
import { createPool } from './pools.ts';

/**
 * How many days ahead partitions are made at the start: enough until those of a week are made. If one of these cannot be attached, that is
 * no reason not to start.
 */
const DAYS_AHEAD = 1;

export interface PreparedDatabase {
  /** Migrations of a later version that the database has had. */
  readonly unknownMigrations: readonly string[];
}

/**
 * Makes the database fit for this version: migrations, lanes, and the partitions of today and tomorrow; those of the days after that are
 * made once it runs. Many processes may do so at once.
 * @param areQueuesOnPostgres whether BullMQ goes by the same address
 * @param onWait told of what a migration waits for
 * @throws UnsafeCommitError, PoolerError, UnfitServerError
 * @throws Error when a migration fails or `lanes` is not the number that the database was set up with.
 */
export async function prepareDatabase(
  databaseUrl: string,
  lanes: number,
  areQueuesOnPostgres = false,
  onWait: (wait: MigrationWait) => void = () => {},
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
    // These come before anything is changed.
    await checkPooler(pool, areQueuesOnPostgres);
    await checkSession(pool);
    await migrate(databaseUrl, onWait);
    await prepareLanes(pool, lanes);
    const { rows } = await pool.query<{ ms: number }>('SELECT (extract(epoch FROM now()) * 1000)::float8 AS ms');
    await ensurePartitions(pool, rows[0]!.ms, DAYS_AHEAD);
    return { unknownMigrations: await findUnknownMigrations(pool) };
  } finally {
    await pool.end();
  }
}
