import type pg from 'pg';
import type { DeliveryKey } from './delivery-keys.ts';

/** A delivery that was set aside, and still is. */
export interface SetAsideDelivery extends DeliveryKey {
  readonly tenantId: string;
  readonly endpointId: string;
  /** Workers in a row that died while they tried it. */
  readonly crashes: number;
  readonly reason: string;
  readonly setAsideAt: Date;
}

interface Row {
  event_id: string;
  endpoint_num: number;
  tenant_id: string;
  endpoint_id: string;
  crashes: number;
  reason: string;
  set_aside_at: Date;
}

/** The deliveries of all tenants that were set aside, oldest event first, after the given one. */
export async function listSetAside(
  pool: pg.Pool,
  after: DeliveryKey | null,
  limit: number,
): Promise<readonly SetAsideDelivery[]> {
  const { rows } = await pool.query<Row>(
    `SELECT p.event_id, p.endpoint_num, t.id AS tenant_id, e.id AS endpoint_id, p.crashes, p.reason, p.set_aside_at
       FROM poisoned_deliveries p
       JOIN mailbox m ON m.endpoint_num = p.endpoint_num AND m.event_id = p.event_id AND m.due_at = 'infinity'
       JOIN endpoints e ON e.num = p.endpoint_num
       JOIN tenants t ON t.num = p.tenant_num
      WHERE $1::uuid IS NULL OR (p.event_id, p.endpoint_num) > ($1, $2::int)
      ORDER BY p.event_id, p.endpoint_num LIMIT $3`,
    [after?.eventUuid ?? null, after?.endpointNum ?? null, limit],
  );
  return rows.map((row) => ({
    eventUuid: row.event_id,
    endpointNum: row.endpoint_num,
    tenantId: row.tenant_id,
    endpointId: row.endpoint_id,
    crashes: row.crashes,
    reason: row.reason,
    setAsideAt: row.set_aside_at,
  }));
}
