import { DECISION, OUTCOME_CODES } from './codes.ts';
import type { DeliveryKey } from './delivery-keys.ts';
import { UNEXPANDED } from './expansions.ts';
import type { Queryable } from './in-transaction.ts';

/**
 * Takes one delivery out of what is still to be expanded, so that the caller can do something else with it. Waits for a worker that is
 * expanding the event: a later statement sees in the mailbox what that has written.
 * @returns false when it is not there (any more)
 */
export async function takeUnexpanded(
  client: Queryable,
  tenantNum: number,
  { eventUuid, endpointNum }: DeliveryKey,
): Promise<boolean> {
  const { rowCount } = await client.query({
    name: 'take-unexpanded',
    text: `UPDATE expansions x SET endpoints = array_remove(endpoints, $3), size = size - 1
            WHERE x.event_id = $1 AND x.tenant_num = $2 AND $3 = ANY(${UNEXPANDED})`,
    values: [eventUuid, tenantNum, endpointNum],
  });
  return rowCount === 1;
}

// The ordinal is that of other cancellations: see `cancelWaiting` in expunge.ts.
const CANCEL = `
  WITH removed AS (
    DELETE FROM expansions x WHERE x.event_id = $2 AND x.tenant_num = $1 RETURNING ${UNEXPANDED} AS nums
  ), appended AS (
    INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision, detail)
    SELECT $2, now(), d.num, $1, 2, ${OUTCOME_CODES.skipped}, ${DECISION.cancel}, $3 FROM removed, unnest(removed.nums) AS d(num)
  )
  SELECT coalesce(sum(cardinality(nums)), 0)::int AS n FROM removed`;

/** Cancels all deliveries of an event that are still to be expanded. Waits like `takeUnexpanded`. @returns how many they were */
export async function cancelUnexpanded(
  client: Queryable,
  tenantNum: number,
  eventUuid: string,
  reason: 'payload_expunged',
): Promise<number> {
  const { rows } = await client.query<{ n: number }>(CANCEL, [tenantNum, eventUuid, reason]);
  return rows[0]?.n ?? 0;
}
