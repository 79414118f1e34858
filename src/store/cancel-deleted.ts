import type pg from 'pg';
import { DECISION, OUTCOME_CODES } from './codes.ts';
import { LAST_GIVES_WAY, numberOfEnd } from './last-number.ts';
import { isDeliveryOf } from './probe.ts';
import { WHOLE_FROM } from './whole-days.ts';

/** Deliveries of one statement, and endpoints. */
const CHUNK = 1_000;

// An ordinal is left free for the attempt that may be in flight: it will be kept, marked late. What another statement has locked is passed
// over, so that this one never waits: it is settled, or looked for again in two seconds. So is what can have no end on record: it goes with
// its day.
const cancelOf = (endpoints: string) => `
  WITH looked AS MATERIALIZED (${endpoints}),
  doomed AS MATERIALIZED (
    SELECT m.endpoint_num, m.event_id
      FROM looked l
     CROSS JOIN LATERAL (SELECT endpoint_num, event_id FROM mailbox WHERE endpoint_num = l.num AND event_id >= ${WHOLE_FROM} LIMIT ${CHUNK} FOR UPDATE SKIP LOCKED) m
     LIMIT ${CHUNK}
  ),
  removed AS (
    DELETE FROM mailbox m USING doomed d WHERE ${isDeliveryOf('m', 'd')}
    RETURNING m.event_id, m.endpoint_num, m.tenant_num, m.attempt
  ),
  appended AS (
    INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision, detail)
    SELECT event_id, now(), endpoint_num, tenant_num, ${numberOfEnd('attempt')}, ${OUTCOME_CODES.skipped}, ${DECISION.cancel}, 'endpoint_deleted' FROM removed${LAST_GIVES_WAY}
  ),
  unmarked AS (DELETE FROM poisoned_deliveries p USING removed r WHERE ${isDeliveryOf('p', 'r')})`;

const CANCEL_OF_ONE = `
  ${cancelOf('SELECT num FROM endpoints WHERE num = $1 AND deleted_at IS NOT NULL')}
  SELECT count(*)::int AS n FROM removed`;

/** Cancels what waits for one endpoint, if it is deleted, due or not: one bounded statement. */
export async function cancelForDeletedEndpoint(pool: pg.Pool, endpointNum: number): Promise<void> {
  await pool.query({ name: 'cancel-for-one-deleted', text: CANCEL_OF_ONE, values: [endpointNum] });
}

// An endpoint is looked at until nothing of it waits, and then no more: there are ever more of these. Those that a version deletes which
// knows nothing of the mark have none. What is removed here still counts, as does what was passed over: whether it is all is seen the next
// time. Each worker has endpoints of its own.
const CANCEL = `
  ${cancelOf(`
    SELECT num FROM endpoints WHERE deleted_at IS NOT NULL AND cancelled_at IS NULL
     ORDER BY deleted_at LIMIT ${CHUNK} FOR NO KEY UPDATE SKIP LOCKED`)},
  done AS (
    UPDATE endpoints e SET cancelled_at = now() FROM looked l
     WHERE e.num = l.num AND (SELECT m.endpoint_num FROM mailbox m WHERE m.endpoint_num = l.num LIMIT 1) IS NULL
    RETURNING e.num
  )
  SELECT (SELECT count(*) FROM looked)::int AS looked, (SELECT count(*) FROM removed)::int AS removed, (SELECT count(*) FROM done)::int AS done`;

/**
 * Cancels what waits for endpoints that were deleted, those first that were so first, due or not: one bounded statement.
 * @returns whether there may be more.
 */
export async function cancelForDeletedEndpoints(pool: pg.Pool): Promise<boolean> {
  const { rows } = await pool.query<{ looked: number; removed: number; done: number }>({
    name: 'cancel-for-deleted',
    text: CANCEL,
  });
  const { looked, removed, done } = rows[0]!;
  return removed === CHUNK || (looked === CHUNK && removed + done > 0);
}

// A loose index scan: one probe for each endpoint for which something waits, however many deliveries there are, and however many endpoints were deleted.
const REOPEN = `
  WITH RECURSIVE waiting AS (
    (SELECT endpoint_num AS num FROM mailbox WHERE endpoint_num > $1 ORDER BY endpoint_num LIMIT 1)
    UNION ALL
    SELECT (SELECT min(m.endpoint_num) FROM mailbox m WHERE m.endpoint_num > w.num) FROM waiting w WHERE w.num IS NOT NULL
  ),
  looked AS MATERIALIZED (SELECT num FROM waiting WHERE num IS NOT NULL LIMIT ${CHUNK}),
  reopened AS (
    UPDATE endpoints e SET cancelled_at = NULL
      FROM (SELECT p.num FROM looked l JOIN endpoints p ON p.num = l.num WHERE p.cancelled_at IS NOT NULL FOR NO KEY UPDATE OF p SKIP LOCKED) late
     WHERE e.num = late.num
  )
  SELECT max(num) AS last FROM looked`;

/**
 * Finds deliveries that came to deleted endpoints after everything of them was cancelled, from an event that was expanded late or a replay
 * that did not see the deletion: they are cancelled again then. Mostly their lane has done so by itself, as soon as they were due.
 * @param after the number of an endpoint, behind which is looked; 0 at first
 * @returns behind which to look next; null at the end
 */
export async function reopenDeletedEndpoints(pool: pg.Pool, after: number): Promise<number | null> {
  const { rows } = await pool.query<{ last: number | null }>({
    name: 'reopen-deleted',
    text: REOPEN,
    values: [after],
  });
  return rows[0]!.last;
}
