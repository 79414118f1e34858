import type pg from 'pg';
import type { OrderMode } from '../domain/endpoint.ts';
import { plainArray } from './plain-array.ts';
import type { Transaction } from './prisma.ts';
import { subscriptionBytes } from './subscription-bytes.ts';

/**
 * Call first in every transaction that changes what a tenant's events match: the tenant, or an endpoint's existence, subscriptions,
 * order or `enabled`. It waits for commits under way and holds new ones back until this transaction ends; see `assert_routing_versions`.
 * If nothing is changed after all, undo the transaction (`undoable`): each rise of the version makes events under way be planned again.
 * @returns whether the tenant exists; if so, it stays until the transaction ends
 */
export async function changeRouting(transaction: Transaction, tenantNum: number): Promise<boolean> {
  const bucket = routingBucket(tenantNum);
  // All that need the same bucket wait behind this transaction, so its waits are limited to less than a statement may take. The first lock
  // waits for `holdRouting`, the second for commits under way.
  await transaction.$executeRaw`
    SELECT set_config('lock_timeout', '2s', true), pg_advisory_xact_lock_shared(7419, ${bucket}), pg_advisory_xact_lock(7401, ${bucket})`;
  const count = await transaction.$executeRaw`
    UPDATE tenants SET routing_version = routing_version + 1 WHERE num = ${tenantNum} AND deleted_at IS NULL`;
  return count === 1;
}

/** Tenants share this many locks. `assert_routing_versions` must use the same number. */
const BUCKETS = 64;

export function routingBucket(tenantNum: number): number {
  return tenantNum % BUCKETS;
}

/**
 * Waits for changes of these tenants' routing that are under way, and holds back new ones until the returned function is called. Otherwise a
 * commit that was overtaken by changes again and again might never come before the next one. Commits themselves are not held back.
 * @param pool not one whose users may be waiting for these locks: they might have taken all its connections
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

// All take these locks in this order, so that no two that want several wait for each other.
const HOLD = `
  SELECT pg_advisory_xact_lock(7419, bucket) FROM (SELECT bucket FROM unnest($1::int[]) AS bucket ORDER BY 1) b`;

export interface StoredRouting {
  readonly version: bigint;
  /** Of the tenant's event types: it rises only together with `version`. */
  readonly rulesVersion: bigint;
  readonly endpoints: readonly StoredEndpoint[];
}

interface StoredEndpoint {
  readonly num: number;
  readonly version: bigint;
  /** JSON, the same text as long as the subscriptions are the same. Null: those of the version that the caller knows. */
  readonly subscriptions: string | null;
  readonly order: OrderMode;
}

interface Row {
  version: string;
  types_version: string;
  num: number | null;
  endpoint_version: string;
  order: OrderMode;
  bytes: number;
  is_known: boolean;
  /** Null if the caller knows it, or if the texts before it fill the piece. */
  subscriptions: string | null;
}

/** The limits up to which a tenant is read together with others. One with more is read alone, so that the others do not wait for it. */
const FEW_ENDPOINTS = 200;
const LIGHT_BYTES = 16 * 1024;

// Disabled endpoints count towards the limit, because the scan steps over them one by one. Ordered by `id`, as the index of endpoints that are
// not deleted is: otherwise Postgres might scan deleted endpoints, of which there may be any number, or those of other tenants, to find a few.
const LIGHT = `
  SELECT t.num AS tenant_num, t.routing_version AS version, t.types_version, e.num, e.version AS endpoint_version, e.order_mode AS "order", e.is_large,
         CASE WHEN NOT e.is_large THEN e.subscriptions::text END AS subscriptions
    FROM unnest($1::int[]) AS asked(num)
    JOIN tenants t ON t.num = asked.num AND t.deleted_at IS NULL
    LEFT JOIN LATERAL (
      SELECT few.*, count(*) OVER () > ${FEW_ENDPOINTS} OR coalesce(sum(${subscriptionBytes('few')}) FILTER (WHERE few.is_on) OVER (), 0) > ${LIGHT_BYTES} AS is_large
        FROM (SELECT num, version, order_mode, subscriptions, subscription_bytes, enabled AS is_on
                FROM endpoints WHERE tenant_num = t.num AND deleted_at IS NULL ORDER BY id LIMIT ${FEW_ENDPOINTS + 1}) few) e ON e.is_on OR e.is_large`;

interface LightRow extends Omit<Row, 'bytes' | 'is_known'> {
  tenant_num: number;
  is_large: boolean | null;
}

/**
 * The routing of several tenants in one statement, which is short whoever they are: of a tenant that has much it only says so.
 * @returns by tenant number, as `loadRouting`; absent: deleted or unknown
 */
export async function loadLightRouting(
  pool: pg.Pool,
  tenantNums: readonly number[],
): Promise<ReadonlyMap<number, StoredRouting | 'large'>> {
  const { rows } = await pool.query<LightRow>({
    name: 'load-light-routing',
    text: LIGHT,
    values: [plainArray([...new Set(tenantNums)])],
  });
  const found = new Map<number, StoredRouting | 'large'>();
  for (const [tenantNum, own] of Map.groupBy(rows, (row) => row.tenant_num)) {
    found.set(tenantNum, own.some((row) => row.is_large) ? 'large' : lightRoutingOf(own));
  }
  return found;
}

function lightRoutingOf(rows: readonly LightRow[]): StoredRouting {
  const { version, types_version } = rows[0]!;
  const endpoints = rows.flatMap((row) => (row.num === null ? [] : [toEndpoint(row, row.num)]));
  return { version: BigInt(version), rulesVersion: BigInt(types_version), endpoints };
}

/** How many bytes of texts one statement reads. So none takes long, and others get the connection in between. */
const PIECE_BYTES = 1024 * 1024;

// Known subscriptions are not read again, and of the others only the first piece. CASE: Postgres fetches a text from its TOAST table only if
// it is returned.
const LOAD = `
  SELECT version, types_version, num, endpoint_version, "order", bytes, is_known,
         CASE WHEN NOT is_known AND read <= ${PIECE_BYTES} THEN subscriptions::text END AS subscriptions
    FROM (SELECT t.routing_version AS version, t.types_version, e.num, e.version AS endpoint_version, e.order_mode AS "order", e.subscriptions,
                 ${subscriptionBytes('e')} AS bytes, k.num IS NOT NULL AS is_known,
                 sum(${subscriptionBytes('e')}) FILTER (WHERE k.num IS NULL) OVER (ORDER BY e.num) AS read
            FROM tenants t
            LEFT JOIN endpoints e ON e.tenant_num = t.num AND e.enabled AND e.deleted_at IS NULL
            LEFT JOIN unnest($2::int[], $3::bigint[]) AS k(num, version) ON k.num = e.num AND k.version = e.version
           WHERE t.num = $1 AND t.deleted_at IS NULL) found
   ORDER BY num`;

/**
 * A tenant's routing as committed: its enabled endpoints. Null when the tenant is deleted or unknown.
 *
 * What does not fit into the first piece is read by later statements, and may be newer than `version` says, or gone. Then a change was
 * committed meanwhile, and a commit with that version is refused.
 * @param known by endpoint number, the version whose subscriptions need not be read again
 */
export async function loadRouting(
  pool: pg.Pool,
  tenantNum: number,
  known: ReadonlyMap<number, { readonly version: bigint | undefined }>,
): Promise<StoredRouting | null> {
  const versions = [...known].map(([num, { version }]) => [num, version ?? -1n] as const);
  const { rows } = await pool.query<Row>({
    name: 'load-routing',
    text: LOAD,
    values: [tenantNum, plainArray(versions.map(([num]) => num)), plainArray(versions.map(([, version]) => version))],
  });
  if (rows[0] === undefined) return null;
  const endpoints: StoredEndpoint[] = [];
  const left: Row[] = [];
  for (const row of rows) {
    if (row.num === null) continue;
    if (row.subscriptions === null && !row.is_known) left.push(row);
    else endpoints.push(toEndpoint(row, row.num));
  }
  for (let at = 0; at < left.length; ) {
    const end = endOfPiece(left, at);
    const nums = left.slice(at, end).map(({ num }) => num!);
    for (const row of await loadPiece(pool, tenantNum, nums)) endpoints.push(toEndpoint(row, row.num!));
    at = end;
  }
  return { version: BigInt(rows[0].version), rulesVersion: BigInt(rows[0].types_version), endpoints };
}

function toEndpoint(row: Pick<Row, 'endpoint_version' | 'subscriptions' | 'order'>, num: number): StoredEndpoint {
  return { num, version: BigInt(row.endpoint_version), subscriptions: row.subscriptions, order: row.order };
}

/** Where the piece ends that begins at `start`. It has at least one row, however large. */
function endOfPiece(rows: readonly Row[], start: number): number {
  let bytes = 0;
  let at = start;
  for (; at < rows.length; at++) {
    bytes += rows[at]!.bytes;
    if (at > start && bytes > PIECE_BYTES) break;
  }
  return at;
}

async function loadPiece(pool: pg.Pool, tenantNum: number, nums: readonly number[]): Promise<readonly Row[]> {
  const { rows } = await pool.query<Row>({
    name: 'load-routing-piece',
    text: `SELECT num, version AS endpoint_version, order_mode AS "order", subscriptions::text AS subscriptions FROM endpoints
            WHERE num = ANY($2::int[]) AND tenant_num = $1 AND enabled AND deleted_at IS NULL`,
    values: [tenantNum, plainArray(nums)],
  });
  return rows;
}
