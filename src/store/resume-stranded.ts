import { DECISION, ENDING, OUTCOME_CODES } from './codes.ts';
import type { Queryable } from './in-transaction.ts';
import { type OrderKey, promote } from './order.ts';

const KEYS_AT_ONCE = 500;

// The last thing on record that ended the delivery decides; versions that did not let a late attempt end it marked it late, delivered or not.
const RESUME = `
  WITH looked AS MATERIALIZED (
    SELECT endpoint_num, order_key, event_id FROM paused_keys
     WHERE (endpoint_num, order_key) > ($1::int, $2::int) ORDER BY endpoint_num, order_key LIMIT ${KEYS_AT_ONCE}
  ),
  delivered AS MATERIALIZED (
    SELECT * FROM looked l
     WHERE (SELECT a.decision FROM attempts a
             WHERE a.event_id = l.event_id AND a.endpoint_num = l.endpoint_num
               AND (a.${ENDING} OR a.decision = ${DECISION.late} AND a.outcome = ${OUTCOME_CODES.delivered})
             ORDER BY a.attempt DESC LIMIT 1) IN (${DECISION.done}, ${DECISION.late})
  ),
  resumed AS (
    DELETE FROM paused_keys p USING delivered d
     WHERE p.endpoint_num = d.endpoint_num AND p.order_key = d.order_key AND p.event_id = d.event_id
    RETURNING p.endpoint_num, p.order_key
  )
  SELECT endpoint_num AS "endpointNum", order_key AS key, (endpoint_num, order_key) IN (SELECT * FROM resumed) AS "isResumed"
    FROM looked ORDER BY endpoint_num, order_key`;

interface Looked extends OrderKey {
  readonly isResumed: boolean;
}

/**
 * Resumes keys that wait for a dead letter which the receiver took after all: the process that recorded this died before it could resume
 * them (`resumeDelivered`).
 * @param signal ends it after the statement that is under way
 * @returns how many keys
 */
export async function resumeStranded(db: Queryable, signal?: AbortSignal): Promise<number> {
  // Endpoints are counted from 1.
  let after = [0, 0];
  for (let total = 0; ; ) {
    const { rows } = await db.query<Looked>(RESUME, after);
    const resumed = rows.filter(({ isResumed }) => isResumed);
    await promote(db, resumed);
    total += resumed.length;
    const last = rows.at(-1);
    if (last === undefined || rows.length < KEYS_AT_ONCE || signal?.aborted === true) return total;
    after = [last.endpointNum, last.key];
  }
}
