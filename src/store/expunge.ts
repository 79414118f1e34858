import type pg from 'pg';
import type { TenantRef } from '../domain/caller.ts';
import { appendAuditRow } from './audit-row.ts';
import { DECISION, OUTCOME_CODES } from './codes.ts';
import { inTransaction, type Queryable } from './in-transaction.ts';
import { LAST_GIVES_WAY, numberOfEnd } from './last-number.ts';
import { type OrderKey, orderKeysOf, type Promote, promoteAfter } from './order.ts';
import { isDeliveryOf, probeOnly } from './probe.ts';
import { lockRedrives } from './redrive.ts';
import { cancelUnexpanded } from './unexpanded.ts';
import { WHOLE_FROM } from './whole-days.ts';

/** The event to expunge, by UUID, and the public id that the audit log names it by. */
export interface ExpungedEvent {
  readonly uuid: string;
  readonly publicId: string;
}

/** `resumed`: endpoints with deliveries that stood behind cancelled ones, or behind a dead letter of the event, and may be made now. */
export interface Expunged {
  readonly resumed: ReadonlySet<number>;
}

/**
 * Removes the payload of an event for good, and cancels its waiting deliveries. The event without its payload, its type and its attempts
 * stay. Calling it again changes nothing.
 * @param rewrite the body without the payload
 * @returns null when the tenant has no such event (any more)
 */
export async function expungePayload(
  pool: pg.Pool,
  tenant: TenantRef,
  event: ExpungedEvent,
  actor: string,
  rewrite: (body: Buffer) => Buffer,
  promote: Promote = (keys) => promoteAfter(pool, keys),
): Promise<Expunged | null> {
  let keys: readonly OrderKey[] = [];
  const isThere = await inTransaction(pool, async (client) => {
    // A redrive that has seen the event with its payload may be bringing a delivery back. What it writes must be seen here, to be cancelled.
    await lockRedrives(client, tenant.num);
    // An event whose dead letters outlive its day is copied from `events` to `kept_events`. For a moment it is in both.
    const places = [await expungeIn(client, 'events', tenant.num, event.uuid, rewrite)];
    places.push(await expungeIn(client, 'kept_events', tenant.num, event.uuid, rewrite));
    if (!places.includes('expunged')) return places.includes('was_expunged');
    // First these, then those that wait: a worker may be writing some of these to the mailbox.
    const unexpanded = await cancelUnexpanded(client, tenant.num, event.uuid, 'payload_expunged');
    const cancelled = await cancelWaiting(client, tenant.num, event.uuid);
    await forgetProblems(client, tenant.num, event.uuid);
    keys = [...cancelled.keys, ...(await resumeBehind(client, tenant.num, event.uuid))];
    const after = { deliveries_cancelled: unexpanded + cancelled.count };
    await appendAuditRow(client, {
      tenantNum: tenant.num,
      actor,
      action: 'event.expunged',
      object: event.publicId,
      after,
    });
    return true;
  });
  if (!isThere) return null;
  await promote(keys);
  return { resumed: new Set(keys.map(({ endpointNum }) => endpointNum)) };
}

async function expungeIn(
  client: Queryable,
  table: 'events' | 'kept_events',
  tenantNum: number,
  uuid: string,
  rewrite: (body: Buffer) => Buffer,
): Promise<'absent' | 'was_expunged' | 'expunged'> {
  const { rows } = await client.query<{ body: Buffer; expunged_at: Date | null }>(
    `SELECT body, expunged_at FROM ${table} WHERE id = $1 AND tenant_num = $2 FOR UPDATE`,
    [uuid, tenantNum],
  );
  const found = rows[0];
  if (found === undefined) return 'absent';
  if (found.expunged_at !== null) return 'was_expunged';
  const change = [uuid, tenantNum, rewrite(found.body)];
  await client.query(`UPDATE ${table} SET body = $3, expunged_at = now() WHERE id = $1 AND tenant_num = $2`, change);
  return 'expunged';
}

/** Cancelled deliveries are not set aside any more (src/store/suspects.ts). */
async function forgetProblems(client: Queryable, tenantNum: number, eventUuid: string): Promise<void> {
  await client.query('DELETE FROM poisoned_deliveries WHERE tenant_num = $1 AND event_id = $2', [tenantNum, eventUuid]);
}

/** Otherwise what stands behind a dead letter of the event would wait for a retry that nobody can ask for any more. */
async function resumeBehind(client: Queryable, tenantNum: number, eventUuid: string): Promise<readonly OrderKey[]> {
  const { rows } = await client.query<{ endpoint_num: number; order_key: number }>(
    `DELETE FROM paused_keys WHERE event_id = $2 AND endpoint_num = ANY(ARRAY(SELECT num FROM endpoints WHERE tenant_num = $1))
     RETURNING endpoint_num, order_key`,
    [tenantNum, eventUuid],
  );
  return orderKeysOf(rows);
}

// As in redrive.ts, the end leaves one number free for the attempt that may be in flight.
async function cancelWaiting(
  client: Queryable,
  tenantNum: number,
  eventUuid: string,
): Promise<{ readonly count: number; readonly keys: readonly OrderKey[] }> {
  await probeOnly(client);
  const { rows } = await client.query<{ endpoint_num: number; order_key: number | null }>(
    `WITH ours AS MATERIALIZED (
       SELECT endpoint_num, event_id FROM mailbox
        WHERE endpoint_num = ANY(ARRAY(SELECT num FROM endpoints WHERE tenant_num = $1)) AND event_id = $2::uuid AND tenant_num = $1
        ORDER BY endpoint_num, event_id FOR UPDATE
     ), removed AS (
       DELETE FROM mailbox m USING ours o WHERE ${isDeliveryOf('m', 'o')}
       RETURNING m.event_id, m.endpoint_num, m.tenant_num, m.attempt, m.order_key
     ), appended AS (
       INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision, detail)
       SELECT event_id, now(), endpoint_num, tenant_num, ${numberOfEnd('attempt')}, ${OUTCOME_CODES.skipped}, ${DECISION.cancel}, 'payload_expunged' FROM removed WHERE event_id >= ${WHOLE_FROM}${LAST_GIVES_WAY}
     )
     SELECT endpoint_num, order_key FROM removed`,
    [tenantNum, eventUuid],
  );
  return { count: rows.length, keys: orderKeysOf(rows) };
}
