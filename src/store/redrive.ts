import type pg from 'pg';
import type { TenantRef } from '../domain/caller.ts';
import { appendAuditRow } from './audit-row.ts';
import { DECISION, OUTCOME_CODES } from './codes.ts';
import type { DeliveryKey } from './delivery-keys.ts';
import { type Delivery, readDeliveries } from './delivery-reads.ts';
import { inTransaction, type Queryable } from './in-transaction.ts';
import { LAST_GIVES_WAY, numberOfEnd } from './last-number.ts';
import { type OrderKey, orderKeysOf, type Promote, promoteAfter } from './order.ts';
import { restoreKept } from './restore-kept.ts';
import { takeUnexpanded } from './unexpanded.ts';
import { WHOLE_FROM } from './whole-days.ts';

export interface Redriven extends DeliveryKey {
  readonly deliveryId: string;
}

export type RetryRefusal = 'not_found' | 'endpoint_deleted' | 'payload_expunged';

/**
 * Locks redrives of a tenant until the transaction ends. All that bring ended deliveries back take it: two at once could both read the number
 * of the last attempt, before the delivery that one of them brings back has made one more. An expunge takes it too: it cancels what they
 * bring back, and must see that.
 */
export async function lockRedrives(client: Queryable, tenantNum: number): Promise<void> {
  await client.query('SELECT pg_advisory_xact_lock(7405, $1)', [tenantNum]);
}

/**
 * Makes a delivery due now. If it has ended, it is made again, from the start of its schedule.
 * @returns the delivery as it is then. A dead letter that has outlived its day comes back under a new UUID. It is read before the commit:
 * after it the read might fail, and the caller could not answer for what was done.
 */
export async function retryDelivery(
  pool: pg.Pool,
  tenant: TenantRef,
  delivery: Redriven,
  laneNumber: number,
  actor: string,
): Promise<Delivery | RetryRefusal> {
  const { endpointNum } = delivery;
  return inTransaction(pool, async (client) => {
    await lockRedrives(client, tenant.num);
    const eventUuid = await inTheLog(client, tenant.num, delivery);
    const key = { eventUuid, endpointNum };
    const refused = await refusalOf(client, tenant.num, key);
    if (refused !== null) return refused;
    const wasSetAside = await forgetProblem(client, tenant.num, key);
    if (await takeUnexpanded(client, tenant.num, key))
      await client.query(QUEUE_FIRST, [eventUuid, endpointNum, tenant.num, laneNumber]);
    const waiting = await client.query(RETRY, [endpointNum, eventUuid, tenant.num, wasSetAside]);
    if (waiting.rowCount === 0 && !(await reopen(client, tenant.num, key, laneNumber))) return 'not_found';
    await appendAuditRow(client, {
      tenantNum: tenant.num,
      actor,
      action: 'delivery.retried',
      object: delivery.deliveryId,
    });
    return onlyOne(await readDeliveries(client, tenant.num, [key]));
  });
}

// A row that is behind another of its key stays there. One that was set aside comes back. One that a replay queued does not belong to the
// replay any more, which cannot withdraw it. The update waits for a settle under way, so that the next statement sees its attempt.
const RETRY = `
  UPDATE mailbox
     SET parked = parked AND NOT $4,
         due_at = CASE WHEN isfinite(due_at) OR $4 THEN least(due_at, date_trunc('milliseconds', now())) ELSE due_at END,
         step = greatest(step - 1, 0), replay_num = NULL
   WHERE endpoint_num = $1 AND event_id = $2 AND tenant_num = $3`;

// Without order: deliveries of ordered endpoints are never left to be expanded.
const QUEUE_FIRST = `
  INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane) VALUES ($1, date_trunc('milliseconds', now()), $2, $3, $4)
  ON CONFLICT (endpoint_num, event_id) DO NOTHING`;

async function inTheLog(
  client: Queryable,
  tenantNum: number,
  { eventUuid, endpointNum }: DeliveryKey,
): Promise<string> {
  const only = [{ eventUuid, endpointNum }];
  const wanted = { eventUuids: [eventUuid], endpointNums: null, reason: null, only };
  return (await restoreKept(client, tenantNum, wanted)).get(eventUuid) ?? eventUuid;
}

/** @returns whether it was set aside (src/store/suspects.ts). */
async function forgetProblem(
  client: Queryable,
  tenantNum: number,
  { eventUuid, endpointNum }: DeliveryKey,
): Promise<boolean> {
  const { rowCount } = await client.query(
    'DELETE FROM poisoned_deliveries WHERE event_id = $1 AND endpoint_num = $2 AND tenant_num = $3',
    [eventUuid, endpointNum, tenantNum],
  );
  return rowCount === 1;
}

/** Looks among kept dead letters as well: one that has outlived its day is still there only if it cannot be brought back. */
async function refusalOf(
  client: Queryable,
  tenantNum: number,
  { eventUuid, endpointNum }: DeliveryKey,
): Promise<RetryRefusal | null> {
  const { rows } = await client.query<{ deleted: boolean; expunged: boolean }>(
    `SELECT e.deleted_at IS NOT NULL AS deleted, v.expunged_at IS NOT NULL AS expunged
       FROM endpoints e, (
              SELECT expunged_at FROM events WHERE id = $2 AND tenant_num = $3
               UNION ALL
              SELECT v.expunged_at FROM kept_dead_letters d JOIN kept_events v ON v.id = d.event_id AND v.tenant_num = $3
               WHERE d.event_id = $2 AND d.endpoint_num = $1 AND d.tenant_num = $3
            ) v
      WHERE e.num = $1 AND e.tenant_num = $3`,
    [endpointNum, eventUuid, tenantNum],
  );
  if (rows[0] === undefined) return 'not_found';
  if (rows[0].deleted) return 'endpoint_deleted';
  return rows[0].expunged ? 'payload_expunged' : null;
}

async function reopen(
  client: Queryable,
  tenantNum: number,
  { eventUuid, endpointNum }: DeliveryKey,
  laneNumber: number,
): Promise<boolean> {
  const { rowCount } = await client.query(REOPEN, [eventUuid, endpointNum, tenantNum, laneNumber]);
  return rowCount === 1;
}

// If its key waits for this dead letter, it takes its old place before all others, and the key is not paused any more. Otherwise it takes a
// new place, behind all that wait.
const REOPEN = `
  WITH resumed AS (
    DELETE FROM paused_keys WHERE endpoint_num = $2 AND event_id = $1 RETURNING seq, paused_at
  )
  INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, attempt, order_key, seq, paused_at)
  SELECT $1, date_trunc('milliseconds', now()), $2, $3, $4, ended.attempt, k.order_key,
         CASE WHEN k.order_key IS NOT NULL THEN coalesce((SELECT seq FROM resumed), nextval('mailbox_seq')) END, (SELECT paused_at FROM resumed)
    FROM (SELECT max(attempt) AS attempt FROM attempts
           WHERE event_id = $1 AND endpoint_num = $2 AND tenant_num = $3 HAVING max(attempt) IS NOT NULL) ended,
         (SELECT order_key(e.order_mode, v.subject) FROM endpoints e, events v WHERE e.num = $2 AND v.id = $1) AS k(order_key)
  ON CONFLICT (endpoint_num, event_id) DO NOTHING`;

function onlyOne(deliveries: readonly Delivery[]): Delivery {
  return deliveries[0]!;
}

export type CancelRefusal = 'not_found' | 'ended';

// The end leaves one number free for the attempt that may be in flight, which will be recorded as late. If the number would be too high for
// the column, it is the highest that fits (`numberOfEnd`). Deliveries whose end cannot be recorded any more go with their day.
const CANCEL = `
  WITH removed AS (
    DELETE FROM mailbox WHERE endpoint_num = $1 AND event_id = $2 AND tenant_num = $3 AND event_id >= ${WHOLE_FROM} RETURNING event_id, endpoint_num, tenant_num, attempt, order_key
  ), appended AS (
    INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision, detail)
    SELECT event_id, now(), endpoint_num, tenant_num, ${numberOfEnd('attempt')}, ${OUTCOME_CODES.skipped}, ${DECISION.cancel}, 'cancelled_by_request' FROM removed${LAST_GIVES_WAY}
  )
  SELECT endpoint_num, order_key FROM removed`;

/** Cancels a delivery that waits. An attempt in flight is not called back. @returns the delivery as it is then, read before the commit */
export async function cancelDelivery(
  pool: pg.Pool,
  tenant: TenantRef,
  delivery: Redriven,
  actor: string,
  promote: Promote = (keys) => promoteAfter(pool, keys),
): Promise<Delivery | CancelRefusal> {
  const key = [delivery.endpointNum, delivery.eventUuid, tenant.num];
  let resumed: readonly OrderKey[] = [];
  const result = await inTransaction(pool, async (client) => {
    if (await takeUnexpanded(client, tenant.num, delivery)) {
      // Queued and removed in one transaction, so that it ends as all others do. No lane sees it.
      await client.query(QUEUE_FIRST, [delivery.eventUuid, delivery.endpointNum, tenant.num, 0]);
    }
    const { rows } = await client.query<{ endpoint_num: number; order_key: number | null }>(CANCEL, key);
    resumed = orderKeysOf(rows);
    if (rows.length === 0) {
      const known = await client.query(
        'SELECT 1 FROM attempts WHERE endpoint_num = $1 AND event_id = $2 AND tenant_num = $3 LIMIT 1',
        key,
      );
      return known.rowCount === 0 ? 'not_found' : 'ended';
    }
    await forgetProblem(client, tenant.num, delivery);
    await appendAuditRow(client, {
      tenantNum: tenant.num,
      actor,
      action: 'delivery.cancelled',
      object: delivery.deliveryId,
    });
    return onlyOne(await readDeliveries(client, tenant.num, [delivery]));
  });
  await promote(resumed);
  return result;
}
