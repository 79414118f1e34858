import pg from 'pg';
import { DECISION } from './codes.ts';

/** Dead letters that Postgres may sort for each part that is copied. */
const FEW_LETTERS = 1_000;
/** What is looked at grows with this: 300 rows each. How many dead letters there are is all that is asked. */
const STATISTICS_TARGET = 10;

/**
 * Tells Postgres how many dead letters a day of attempts has, where it has more than a few: taking them for few, it would sort all that are left for each part that is copied.
 * It is only a hint, and goes without saying where it takes too long. To be called before anybody waits for what follows, and outside of a transaction.
 */
export async function refreshStatistics(client: pg.ClientBase, table: string): Promise<void> {
  await client.query('BEGIN');
  try {
    if (await hasManyLetters(client, table)) {
      await client.query(`SET LOCAL default_statistics_target = ${STATISTICS_TARGET}`);
      await client.query(`ANALYZE (SKIP_LOCKED) "${table}" (tenant_num, event_id, endpoint_num, decision)`);
    }
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    if (!(error instanceof pg.DatabaseError)) throw error;
  }
}

async function hasManyLetters(client: pg.ClientBase, table: string): Promise<boolean> {
  const { rows } = await client.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM (SELECT FROM "${table}" WHERE decision = ${DECISION.deadLetter} LIMIT ${FEW_LETTERS + 1}) few`,
  );
  return rows[0]!.n > FEW_LETTERS;
}
