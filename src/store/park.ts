import type pg from 'pg';
import type { DeliveryKey } from './delivery-keys.ts';
import type { LaneLease } from './lanes.ts';
import { CLASSES, type DeliveryClass, PARKED_CLASS } from './mailbox.ts';
import { plainArray } from './plain-array.ts';
import { asFilter, isDeliveryOf } from './probe.ts';

// All statements here pass over rows that another has locked, so that they never wait for a row and stand in no deadlock. Such a row is being
// settled or cancelled, or is set aside next time: until then the fetch steps over it once more.
// Rows of lanes that are the caller's no longer stay as they are: their owner would not know.

const HELD = `held AS MATERIALIZED (
  SELECT l.lane FROM lanes l JOIN unnest($1::smallint[], $2::bigint[]) AS h(lane, epoch) USING (lane, epoch) ORDER BY l.lane FOR SHARE OF l
)`;

const PARK = `
  WITH ${HELD},
  free AS MATERIALIZED (
    SELECT m.event_id, m.endpoint_num FROM unnest($3::uuid[], $4::int[]) AS p(event_id, endpoint_num) JOIN mailbox m ON ${isDeliveryOf('m', 'p')}
     WHERE ${asFilter('NOT m.parked')} AND m.lane IN (SELECT lane FROM held) FOR UPDATE OF m SKIP LOCKED
  )
  UPDATE mailbox m SET parked = true FROM free f WHERE ${isDeliveryOf('m', 'f')}`;

type Row = Pick<DeliveryKey, 'eventUuid' | 'endpointNum'>;

/** Takes rows out of the index that the fetch reads: their endpoint is disabled or has more waiting than it can take. */
export async function parkDeliveries(pool: pg.Pool, leases: readonly LaneLease[], rows: readonly Row[]): Promise<void> {
  await pool.query({ name: 'park', text: PARK, values: [...leaseColumns(leases), ...keyColumns(rows)] });
}

const SET_BEHIND = `
  WITH ${HELD},
  free AS MATERIALIZED (
    SELECT m.event_id, m.endpoint_num FROM unnest($3::uuid[], $4::int[]) AS p(event_id, endpoint_num) JOIN mailbox m ON ${isDeliveryOf('m', 'p')}
     WHERE ${asFilter('m.order_key IS NOT NULL')} AND m.due_at <= now() AND m.lane IN (SELECT lane FROM held) FOR UPDATE OF m SKIP LOCKED
  )
  UPDATE mailbox m SET parked = true, due_at = 'infinity' FROM free f WHERE ${isDeliveryOf('m', 'f')}`;

/** Sets rows back that are not the first of their key, where no fetch steps over them, until `promote` (src/store/order.ts) brings them up. */
export async function setBehind(pool: pg.Pool, leases: readonly LaneLease[], rows: readonly Row[]): Promise<void> {
  await pool.query({ name: 'set-behind', text: SET_BEHIND, values: [...leaseColumns(leases), ...keyColumns(rows)] });
}

const PARK_ENDPOINTS = `
  WITH ${HELD},
  flood AS MATERIALIZED (
    SELECT f.* FROM held h CROSS JOIN LATERAL (
      SELECT endpoint_num, event_id, order_key, seq FROM mailbox
       WHERE lane = h.lane AND NOT parked AND due_at <= now() AND endpoint_num = ANY($3::int[])
       ORDER BY due_at, event_id, endpoint_num LIMIT $4 FOR UPDATE SKIP LOCKED
    ) f
  ),
  aside AS (
    UPDATE mailbox m
       SET parked = true,
           due_at = CASE WHEN f.order_key IS NOT NULL AND EXISTS (
             SELECT FROM mailbox b WHERE b.endpoint_num = f.endpoint_num AND b.order_key = f.order_key AND b.seq < f.seq
           ) THEN 'infinity' ELSE m.due_at END
      FROM flood f
     WHERE ${isDeliveryOf('m', 'f')} AND ${asFilter('NOT m.parked')}
    RETURNING m.endpoint_num, m.parked, m.replay_num, m.step
  )
  SELECT endpoint_num, ${PARKED_CLASS} AS class, count(*)::int AS rows FROM aside GROUP BY 1, 2`;

/** What was parked unread. */
export interface ParkedRows {
  readonly endpointNum: number;
  readonly kind: DeliveryClass;
  readonly rows: number;
}

/**
 * Parks what is due for endpoints that have far more than they can take, in due order: many rows a statement, which nobody had to read.
 * Rows that stand behind others in order are set behind (see `setBehind`): call `promoteAll` afterwards.
 * @returns what it parked, of each lane `limit` rows at most
 */
export async function parkEndpoints(
  pool: pg.Pool,
  leases: readonly LaneLease[],
  endpointNums: readonly number[],
  limit: number,
): Promise<ParkedRows[]> {
  const values = [...leaseColumns(leases), plainArray(endpointNums), limit];
  const { rows: parked } = await pool.query<{ endpoint_num: number; class: number; rows: number }>({
    name: 'park-endpoints',
    text: PARK_ENDPOINTS,
    values,
  });
  return parked.map((each) => ({ endpointNum: each.endpoint_num, kind: CLASSES[each.class]!, rows: each.rows }));
}

function leaseColumns(leases: readonly LaneLease[]): string[] {
  return [plainArray(leases.map(({ lane }) => lane)), plainArray(leases.map(({ epoch }) => epoch))];
}

function keyColumns(rows: readonly Row[]): string[] {
  return [plainArray(rows.map((row) => row.eventUuid)), plainArray(rows.map((row) => row.endpointNum))];
}
