import type pg from 'pg';
import type { OrderMode } from '../domain/endpoint.ts';
import { plainArray } from './plain-array.ts';
import type { Transaction } from './prisma.ts';
import { subscriptionBytes } from './subscription-bytes.ts';

/**
 * Call first in every transaction that changes what a tenant's events match: the tenant, or an endpoint's existence, subscriptions,
 * order or `enabled`. It waits for commits under way and holds new ones back until this transaction ends; see `assert_routing_versions`.
 * Where nothing is changed after all, the transaction must be undone (`undoable`): events that are under way are planned anew for each
 * change.
 * @returns whether the tenant is there, and stays until the transaction ends
 */
export async function changeRouting(transaction: Transaction, tenantNum: number): Promise<boolean> {
  const bucket = routingBucket(tenantNum);
  // Others of the same number wait behind this one: no wait of the transaction may take as long as a statement may. Then past whoever wants
  // the routing to hold still.
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
 * Waits for changes of these tenants' routing that are under way, and lets no other begin until what it returns is called: a commit that
 * was overtaken by changes again and again would else never be sooner than the next. Commits need nothing of what it holds.
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
  readonly endpoints: readonly StoredEndpoint[];
}

interface StoredEndpoint {
  readonly num: number;
  readonly version: bigint;
  /** As JSON text, the same text for as long as they are the same. Null: those of the version that is known. */
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
  /** Absent where it is known, or where too much came before it. */
  subscriptions: string | null;
}

/** What is read together with others': past it a tenant is read by itself, so that none of them waits for one that has much. */
const FEW_ENDPOINTS = 200;
const LIGHT_BYTES = 16 * 1024;

// Disabled endpoints count: they are stepped over one by one. In the order of the index of those that are not deleted, of which there may
// be any number: lest these, or the endpoints of others, are gone through to find a few.
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
 * The routing of several tenants in one statement, which is short whoever they are: of one that has much it only says so.
 * @returns by number, as `loadRouting`; absent: deleted or unknown
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

/** What one statement reads of the texts, in bytes: others who want a connection have theirs in between, and none takes long. */
const PIECE_BYTES = 1024 * 1024;

// What is known need not be read, and of the rest not all at once; a text is taken out of where it is stored only where it is read.
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
 * What does not fit into the first piece is read later, and may be newer than `version` says, or gone: then the change was committed
 * meanwhile, and a commit with that version is refused.
 * @param known by number, the versions whose subscriptions are not to be read again
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

/** At least one row, however large. */
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
