import { DECISION, OUTCOME_CODES, type OutcomeName, outcomeName } from './codes.ts';
import type { DeliveryKey } from './delivery-keys.ts';
import { UNEXPANDED } from './expansions.ts';
import type { Queryable } from './in-transaction.ts';
import { plainArray } from './plain-array.ts';

export const DELIVERY_STATUSES = ['pending', 'retrying', 'delivered', 'dead_lettered', 'cancelled'] as const;

export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

export interface Delivery extends DeliveryKey {
  readonly eventType: string;
  /** The producer's own id of the event; null when it is ours. */
  readonly externalId: string | null;
  readonly endpointId: string;
  readonly status: DeliveryStatus;
  /** Requests that were made. */
  readonly attempts: number;
  /** Null if it does not wait, or waits for something other than a time. */
  readonly nextAttemptAt: Date | null;
  /** Why it is not tried although it waits: it was set aside, or its endpoint is disabled. */
  readonly problem: string | null;
  /** The last thing on record: a request, or the reason why there will be none. */
  readonly last: LastAttempt | null;
}

export interface LastAttempt {
  readonly number: number;
  readonly startedAt: Date;
  readonly outcome: OutcomeName;
  readonly status: number | null;
  readonly detail: string | null;
}

interface Row {
  event_id: string;
  endpoint_num: number;
  type: string;
  external_id: string | null;
  endpoint_id: string;
  waiting_attempt: number | null;
  due_at: Date | null;
  problem: string | null;
  /** Whether its endpoint is. */
  is_disabled: boolean;
  attempts: number;
  ended: number | null;
  last_number: number | null;
  started_at: Date | null;
  outcome: number | null;
  status: number | null;
  detail: string | null;
}

const DISABLED = 'The endpoint is disabled: the delivery is made once that is enabled.';

// The state is derived here and nowhere else. A delivery waits if it has a row in the mailbox or is still to be expanded. Otherwise the last
// decision that ended it says how it ended.
const READ = `
  SELECT k.event_id, k.endpoint_num, v.type, v.external_id, e.id AS endpoint_id,
         CASE WHEN x.event_id IS NOT NULL THEN 0 ELSE m.attempt END AS waiting_attempt, coalesce(nullif(m.due_at, 'infinity'), x.accepted_at) AS due_at, p.reason AS problem,
         NOT e.enabled AND e.deleted_at IS NULL AS is_disabled,
         counted.attempts, ended.decision AS ended, latest.attempt AS last_number, latest.started_at, latest.outcome, latest.status, latest.detail
    FROM unnest($2::uuid[], $3::int[]) WITH ORDINALITY AS k(event_id, endpoint_num, place)
    JOIN events v ON v.id = k.event_id AND v.tenant_num = $1
    JOIN endpoints e ON e.num = k.endpoint_num AND e.tenant_num = $1
    LEFT JOIN LATERAL (
      SELECT endpoint_num, event_id, attempt, due_at FROM mailbox WHERE endpoint_num = k.endpoint_num AND event_id = k.event_id LIMIT 1
    ) m ON true
    LEFT JOIN expansions x ON x.event_id = k.event_id AND x.tenant_num = $1 AND k.endpoint_num = ANY(${UNEXPANDED})
    LEFT JOIN poisoned_deliveries p ON p.endpoint_num = m.endpoint_num AND p.event_id = m.event_id AND p.tenant_num = $1 AND m.due_at = 'infinity'
    LEFT JOIN LATERAL (
      SELECT attempt, started_at, outcome, status, detail FROM attempts a
       WHERE a.event_id = k.event_id AND a.endpoint_num = k.endpoint_num AND a.tenant_num = $1 ORDER BY a.attempt DESC LIMIT 1
    ) latest ON true
    LEFT JOIN LATERAL (
      SELECT decision FROM attempts a
       WHERE a.event_id = k.event_id AND a.endpoint_num = k.endpoint_num AND a.tenant_num = $1
         AND a.decision IN (${DECISION.done}, ${DECISION.deadLetter}, ${DECISION.cancel})
       ORDER BY a.attempt DESC LIMIT 1
    ) ended ON true
   CROSS JOIN LATERAL (
      SELECT count(*)::int AS attempts FROM attempts a
       WHERE a.event_id = k.event_id AND a.endpoint_num = k.endpoint_num AND a.tenant_num = $1 AND a.outcome <> ${OUTCOME_CODES.skipped}
    ) counted
   ORDER BY k.place`;

/**
 * Deliveries by key, in the order of the keys. Those that do not exist, or are not this tenant's, are absent.
 *
 * The statement has no name, so that it is planned for the mailbox as it is now: a plan that was made while hardly anything waited would scan
 * all of the mailbox for each key.
 */
export async function readDeliveries(
  pool: Queryable,
  tenantNum: number,
  keys: readonly DeliveryKey[],
): Promise<readonly Delivery[]> {
  if (keys.length === 0) return [];
  const { rows } = await pool.query<Row>({
    text: READ,
    values: [tenantNum, plainArray(keys.map((key) => key.eventUuid)), plainArray(keys.map((key) => key.endpointNum))],
  });
  return rows.filter((row) => row.waiting_attempt !== null || row.last_number !== null).map(toDelivery);
}

function toDelivery(row: Row): Delivery {
  return {
    eventUuid: row.event_id,
    endpointNum: row.endpoint_num,
    eventType: row.type,
    externalId: row.external_id,
    endpointId: row.endpoint_id,
    status: statusOf(row),
    attempts: row.attempts,
    nextAttemptAt: row.due_at,
    problem: row.problem ?? (row.is_disabled && row.waiting_attempt !== null ? DISABLED : null),
    last: lastOf(row),
  };
}

function statusOf({ waiting_attempt, ended }: Row): DeliveryStatus {
  if (waiting_attempt !== null) return waiting_attempt === 0 ? 'pending' : 'retrying';
  switch (ended) {
    case DECISION.done:
      return 'delivered';
    case DECISION.deadLetter:
      return 'dead_lettered';
    default:
      // Nothing waits and nothing ended it: an earlier version left it so (`addMissingEnds`).
      return 'cancelled';
  }
}

function lastOf({ last_number, started_at, outcome, status, detail }: Row): LastAttempt | null {
  if (last_number === null) return null;
  return { number: last_number, startedAt: started_at!, outcome: outcomeName(outcome!), status, detail };
}
