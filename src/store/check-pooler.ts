import type pg from 'pg';

/**
 * Thrown when a proxy between Posthorn and Postgres gives the same session to several connections, and lacks what is needed then; `message`
 * says what to do.
 */
export class PoolerError extends Error {
  constructor(found: string, remedy: string) {
    super(
      `DATABASE_URL leads through a proxy that pools transactions (PgBouncer with pool_mode=transaction, or the like), ${found}. ${remedy}, let it pool sessions, or let Posthorn connect to Postgres itself: its pools are bounded (docs/operations.md, "Between Posthorn and Postgres").`,
    );
    this.name = 'PoolerError';
  }
}

/** SQLSTATEs that show that a session does not know a named statement, or has it from another connection. */
const FOREIGN_STATEMENT: ReadonlySet<unknown> = new Set(['26000', '42P05']);

const PID = { name: 'pooler-check', text: 'SELECT pg_backend_pid() AS pid' };

/**
 * How often it is looked. One look may miss it, because while other connections are busy it depends on chance which session goes to whom.
 */
const LOOKS = 12;

/**
 * Finds out whether a proxy gives each transaction to whichever session is free. Posthorn names its statements, so that Postgres reads and
 * plans them once: such a proxy must carry named statements over. What BullMQ needs on Postgres, LISTEN and a search path, gets lost on the
 * way in any case.
 * @param pool of at least two connections, which has had no statement yet
 * @param areQueuesOnPostgres whether BullMQ goes by the same address
 * @throws PoolerError
 */
export async function checkPooler(pool: pg.Pool, areQueuesOnPostgres: boolean): Promise<void> {
  const one = await pool.connect();
  try {
    const other = await pool.connect();
    try {
      await checkSessions(one, other, areQueuesOnPostgres);
    } finally {
      other.release();
    }
  } finally {
    one.release();
  }
}

async function checkSessions(one: pg.ClientBase, other: pg.ClientBase, areQueuesOnPostgres: boolean): Promise<void> {
  try {
    for (let look = 0; look < LOOKS; look++) {
      if ((await shareSessions(one, other)) && areQueuesOnPostgres)
        throw new PoolerError('through which BullMQ does not work on Postgres', 'Set REDIS_URL');
    }
  } catch (error) {
    if (!FOREIGN_STATEMENT.has((error as { code?: unknown }).code)) throw error;
    throw new PoolerError(
      'which does not carry named statements over',
      'Set its max_prepared_statements (PgBouncer 1.21 or later)',
    );
  }
}

/**
 * Whether the proxy has given `other` the session that `one` had, or `one` another session than before. `other` is inside a transaction
 * meanwhile, which keeps its session for it.
 */
async function shareSessions(one: pg.ClientBase, other: pg.ClientBase): Promise<boolean> {
  const before = await pidOf(one);
  await other.query('BEGIN');
  try {
    return (await pidOf(other)) === before || (await pidOf(one)) !== before;
  } finally {
    await other.query('ROLLBACK');
  }
}

async function pidOf(client: pg.ClientBase): Promise<number> {
  const { rows } = await client.query<{ pid: number }>(PID);
  return rows[0]!.pid;
}
