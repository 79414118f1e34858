import { DECISION, NOTICE_CODES, OUTCOME_CODES } from './codes.ts';
import { EXPIRED } from './dead-letter-reason.ts';
import { LAST_GIVES_WAY, numberOfEnd } from './last-number.ts';

/**
 * Parts of a statement that has a CTE `fates` of the deliveries that leave with the day of their event. Its columns are `endpoint_num`,
 * `event_id`, `tenant_num`, `attempt`, the event's `type`, and `detail`, by which the delivery ends: `expired` makes it a dead letter,
 * anything else cancels it, and null means that it needs no end. A notice is written for each dead letter but, as everywhere, not for those
 * of system events.
 */
export const EXPIRED_ENDS = `
  ended AS (
    INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision, detail)
    SELECT event_id, now(), endpoint_num, tenant_num, ${numberOfEnd('attempt')}, ${OUTCOME_CODES.skipped},
           CASE detail WHEN '${EXPIRED}' THEN ${DECISION.deadLetter} ELSE ${DECISION.cancel} END, detail
      FROM fates WHERE detail IS NOT NULL${LAST_GIVES_WAY}
  ),
  told AS (
    INSERT INTO system_notices (tenant_num, endpoint_num, event_id, kind, attempt)
    SELECT tenant_num, endpoint_num, event_id, ${NOTICE_CODES['delivery.dead_lettered']}, ${numberOfEnd('attempt')}
      FROM fates WHERE detail = '${EXPIRED}' AND type <> 'system' AND type NOT LIKE 'system.%'
  )`;

/** How a delivery ends that nothing has ended, of an endpoint `e` and an event `v`. */
export const HOW_IT_ENDS = `
  CASE WHEN e.deleted_at IS NOT NULL THEN 'endpoint_deleted' WHEN v.expunged_at IS NOT NULL THEN 'payload_expunged' ELSE '${EXPIRED}' END`;

/** The rows of `ExpiredDeliveries`, as JSON. */
export const EXPIRED_COUNTS = `
  (SELECT json_agg(json_build_object('tenantId', t.id, 'endpointId', e.id, 'count', f.count) ORDER BY e.num)
     FROM (SELECT endpoint_num, count(*)::int AS count FROM fates WHERE detail = '${EXPIRED}' GROUP BY endpoint_num) f
     JOIN endpoints e ON e.num = f.endpoint_num JOIN tenants t ON t.num = e.tenant_num)`;
