import type pg from 'pg';
import { DECISION, OUTCOME_CODES } from './codes.ts';
import { isDeliveryOf } from './probe.ts';

const CHUNK = 1_000;
/** Intervals of Postgres. */
const LATELY = '1 day';
const EVER = '100 years';

// An ordinal is left free for the attempt that may be in flight: it will be kept, marked late. Mostly only endpoints deleted
// lately are looked through, because there are ever more of the others. What another statement has locked is passed over, so that this one
// never waits: it is settled, or looked for again in two seconds.
const CANCEL = `
  WITH doomed AS MATERIALIZED (
    SELECT m.endpoint_num, m.event_id
      FROM endpoints e
     CROSS JOIN LATERAL (SELECT endpoint_num, event_id FROM mailbox WHERE endpoint_num = e.num LIMIT ${CHUNK} FOR UPDATE SKIP LOCKED) m
     WHERE e.deleted_at > now() - $1::interval
     LIMIT ${CHUNK}
  ),
  removed AS (
    DELETE FROM mailbox m USING doomed d WHERE ${isDeliveryOf('m', 'd')}
    RETURNING m.event_id, m.endpoint_num, m.tenant_num, m.attempt
  ),
  appended AS (
    INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision, detail)
    SELECT event_id, now(), endpoint_num, tenant_num, attempt + 2, ${OUTCOME_CODES.skipped}, ${DECISION.cancel}, 'endpoint_deleted' FROM removed
    ON CONFLICT DO NOTHING
  )
  SELECT count(*)::int AS n FROM removed`;

/**
 * Cancels what waits for endpoints that were deleted, due or not: one bounded statement.
 * @param since those that were deleted lately are few, whatever there is of others
 * @returns whether there may be more.
 */
export async function cancelForDeletedEndpoints(pool: pg.Pool, since: 'lately' | 'ever' = 'lately'): Promise<boolean> {
  const { rows } = await pool.query<{ n: number }>({
    name: 'cancel-for-deleted',
    text: CANCEL,
    values: [since === 'lately' ? LATELY : EVER],
  });
  return rows[0]?.n === CHUNK;
}
