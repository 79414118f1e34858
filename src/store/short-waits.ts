import type pg from 'pg';

/** How long a statement waits for what somebody else has locked, in ms. Far less than a statement may take: of two limits that are alike Postgres tells the other one, as of a statement that does too much. */
const LOCK_MS = 2_000;

/** The same for one statement, without a transaction around it: a condition, always true, for the first rows that it locks. */
export const WITH_SHORT_WAITS = `(SELECT set_config('lock_timeout', '${LOCK_MS}', true)) IS NOT NULL`;

/**
 * Runs `work` in a transaction in which a wait for a lock ends after two seconds (55P03): `statement_timeout` (57014) then tells of what takes long by itself. All of it is kept or, when it
 * throws, nothing.
 * @param client outside a transaction
 */
export async function withShortWaits<T>(client: pg.ClientBase, work: () => Promise<T>): Promise<T> {
  try {
    await client.query(`BEGIN; SET LOCAL lock_timeout = ${LOCK_MS}`);
    const result = await work();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    // Where the connection is gone, the transaction is too.
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
}
