import type pg from 'pg';
import type { OrderMode } from '../domain/endpoint.ts';
import { plainArray } from './plain-array.ts';
import type { Transaction } from './prisma.ts';

/**
 * Call first in every transaction that changes what a tenant's events match: the tenant, or an endpoint's existence, subscriptions,
 * order or `enabled`. It waits for commits under way and holds new ones back until this transaction ends; see `assert_routing_versions`. Where nothing is changed after all,
 * the transaction must be undone (`undoable`): events that are under way are planned anew for each change.
 * @returns whether the tenant is there, and stays until the transaction ends
 */
export async function changeRouting(transaction: Transaction, tenantNum: number): Promise<boolean> {
  const bucket = routingBucket(tenantNum);
  // Others of the same number wait behind this one: no wait of the transaction may take as long as a statement may. Then past whoever wants the routing to hold still.
  await transaction.$executeRaw`
    SELECT set_config('lock_timeout', '2s', true), pg_advisory_xact_lock_shared(7419, ${bucket}), pg_advisory_xact_lock(7401, ${bucket})`;
  const count = await transaction.$executeRaw`
    UPDATE tenants SET routing_version = routing_version + 1 WHERE num = ${tenantNum} AND deleted_at IS NULL`;
  return count === 1;
}

/** Tenants share so many locks. `assert_routing_versions` says the same. */
const BUCKETS = 64;

export function routingBucket(tenantNum: number): number {
  return tenantNum % BUCKETS;
}

/**
 * Waits for changes of these tenants' routing that are under way, and lets no other begin until what it returns is called: a commit that was overtaken by changes again and
 * again would else never be sooner than the next. Commits need nothing of what it holds.
 * @param pool of nobody who may be waiting for what is held
 */
export async function holdRouting(pool: pg.Pool, tenantNums: Iterable<number>): Promise<() => void> {
  const client = await pool.connect();
  try {
    await client.query(`BEGIN; SET LOCAL lock_timeout = '1s'`);
    await client.query(HOLD, [plainArray([...new Set(Array.from(tenantNums, routingBucket))])]);
  } catch (error) {
    client.release(true);
    throw error;
  }
  return () => {
    client.query('ROLLBACK').then(
      () => client.release(),
      () => client.release(true),
    );
  };
}

// In one order everywhere, so that two that want several never wait for each other.
const HOLD = `
  SELECT pg_advisory_xact_lock(7419, bucket) FROM (SELECT bucket FROM unnest($1::int[]) AS bucket ORDER BY 1) b`;

export interface StoredRouting {
  readonly version: bigint;
  /** Of the tenant's event types: it rises only together with `version`. */
  readonly rulesVersion: bigint;
  /** Subscriptions as JSON text, the same text for as long as they are the same. */
  readonly endpoints: readonly { readonly num: number; readonly subscriptions: string; readonly order: OrderMode }[];
}

interface Row {
  version: string;
  types_version: string;
  num: number | null;
  subscriptions: string;
  order: OrderMode;
}

/** A tenant's routing as committed: its enabled endpoints. Null when the tenant is deleted or unknown. */
export async function loadRouting(pool: pg.Pool, tenantNum: number): Promise<StoredRouting | null> {
  const { rows } = await pool.query<Row>({
    name: 'load-routing',
    text: `SELECT t.routing_version AS version, t.types_version, e.num, e.subscriptions::text, e.order_mode AS "order"
             FROM tenants t LEFT JOIN endpoints e ON e.tenant_num = t.num AND e.enabled AND e.deleted_at IS NULL
            WHERE t.num = $1 AND t.deleted_at IS NULL ORDER BY e.num`,
    values: [tenantNum],
  });
  if (rows[0] === undefined) return null;
  const endpoints = rows.flatMap(({ num, subscriptions, order }) =>
    num === null ? [] : [{ num, subscriptions, order }],
  );
  return { version: BigInt(rows[0].version), rulesVersion: BigInt(rows[0].types_version), endpoints };
}
