import type pg from 'pg';
import type { TenantRef } from '../domain/caller.ts';
import { appendAuditRow } from './audit-row.ts';
import { inTransaction } from './in-transaction.ts';
import { type Promote, promoteAfter } from './order.ts';

/** A key of an ordered endpoint that waits for a person, and the dead letter that it waits for. */
export interface PausedKey {
  readonly key: number;
  readonly eventUuid: string;
  /** Null with `order: "endpoint"`, and when the event is not kept any more. */
  readonly subject: string | null;
  readonly pausedAt: Date;
}

/** In the order of the keys, after the one given. */
export async function listPausedKeys(
  pool: pg.Pool,
  tenantNum: number,
  endpointNum: number,
  after: number | null,
  limit: number,
): Promise<readonly PausedKey[]> {
  const { rows } = await pool.query<{ order_key: number; event_id: string; subject: string | null; paused_at: Date }>(
    `SELECT p.order_key, p.event_id, v.subject, p.paused_at
       FROM paused_keys p JOIN endpoints e ON e.num = p.endpoint_num LEFT JOIN events v ON v.id = p.event_id
      WHERE p.endpoint_num = $2 AND e.tenant_num = $1 AND ($3::int IS NULL OR p.order_key > $3)
      ORDER BY p.order_key LIMIT $4`,
    [tenantNum, endpointNum, after, limit],
  );
  return rows.map(({ order_key: key, event_id: eventUuid, subject, paused_at: pausedAt }) => ({
    key,
    eventUuid,
    subject,
    pausedAt,
  }));
}

export interface ResumeRequest {
  readonly num: number;
  readonly id: string;
  /** The key to resume; null: all. */
  readonly key: number | null;
}

const CHUNK = 1_000;

/** Lets what stands behind dead letters go on without them. @returns how many keys were resumed. */
export async function resumeKeys(
  pool: pg.Pool,
  tenant: TenantRef,
  { num, id, key }: ResumeRequest,
  actor: string,
  promote: Promote = (keys) => promoteAfter(pool, keys),
): Promise<number> {
  for (let total = 0; ; ) {
    const resumed = await inTransaction(pool, async (client) => {
      const { rows } = await client.query<{ order_key: number }>(
        `DELETE FROM paused_keys WHERE endpoint_num = $1 AND order_key = ANY(ARRAY(
           SELECT order_key FROM paused_keys WHERE endpoint_num = $1 AND ($2::int IS NULL OR order_key = $2) LIMIT ${CHUNK}))
           AND EXISTS (SELECT FROM endpoints e WHERE e.num = $1 AND e.tenant_num = $3)
         RETURNING order_key`,
        [num, key, tenant.num],
      );
      if (rows.length === 0) return [];
      const after = { keys: rows.length };
      await appendAuditRow(client, {
        tenantNum: tenant.num,
        actor,
        action: 'endpoint.keys_resumed',
        object: id,
        after,
      });
      return rows.map((row) => ({ endpointNum: num, key: row.order_key }));
    });
    await promote(resumed);
    total += resumed.length;
    if (resumed.length < CHUNK) return total;
  }
}
