import type pg from 'pg';
import type { Subscription } from './endpoint-rows.ts';

/** An endpoint as far as its deliveries need it. Deleted ones are known: their deliveries still are. */
export interface EndpointRef {
  readonly num: number;
  readonly id: string;
  readonly enabled: boolean;
  readonly deleted: boolean;
  readonly subscriptions: readonly Subscription[];
}

/** The tenant's endpoint by its public id, deleted or not; null when there was never one. */
export async function findEndpointRef(pool: pg.Pool, tenantNum: number, id: string): Promise<EndpointRef | null> {
  const { rows } = await pool.query<EndpointRef>(
    'SELECT num, id, enabled, deleted_at IS NOT NULL AS deleted, subscriptions FROM endpoints WHERE id = $1 AND tenant_num = $2',
    [id, tenantNum],
  );
  return rows[0] ?? null;
}
