import type pg from 'pg';

/**
 * How long a statement waits for what somebody else has locked, in ms. It is far less than a statement may take: if the two limits were
 * alike, Postgres would report the other one, as if the statement itself did too much.
 */
const LOCK_MS = 2_000;

/** The same for one statement, without a transaction around it: a condition, always true, for the first rows that it locks. */
export const WITH_SHORT_WAITS = `(SELECT set_config('lock_timeout', '${LOCK_MS}', true)) IS NOT NULL`;

/**
 * Runs `work` in a transaction in which a wait for a lock ends after `lockMs` (55P03), so that `statement_timeout` (57014) tells of
 * statements that take long by themselves. All of the work is kept or, when it throws, nothing.
 * @param client outside a transaction
 */
export async function withShortWaits<T>(client: pg.ClientBase, work: () => Promise<T>, lockMs = LOCK_MS): Promise<T> {
  try {
    await client.query(`BEGIN; SET LOCAL lock_timeout = ${lockMs}`);
    const result = await work();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    // Where the connection is gone, the transaction is too.
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
}
