import type pg from 'pg';
import type { DeliveryKey } from './delivery-keys.ts';
import type { LaneLease } from './lanes.ts';
import { CLASSES, type Cursor, type DeliveryClass, type DueDelivery, START, scanLimitOf } from './mailbox.ts';
import { PARKED_CLASS } from './parked-rows.ts';
import { plainArray } from './plain-array.ts';
import { asFilter, isDeliveryOf } from './probe.ts';

// All statements here skip rows that another has locked, so that they never wait for a row and take part in no deadlock. Such a row is being
// settled or cancelled. If it is still there next time, the fetch reads it once more, and it is parked then.
// Rows of lanes that the caller does not own any more are left alone: their new owner would not know that they are parked. The same goes for
// lanes that it gave back: it has said when the lane is to be looked at (`wakeInMs`), and did not know of these rows then.

const HELD = `held AS MATERIALIZED (
  SELECT l.lane FROM lanes l JOIN unnest($1::smallint[], $2::bigint[]) AS h(lane, epoch) USING (lane, epoch) WHERE l.owner IS NOT NULL ORDER BY l.lane FOR SHARE OF l
)`;

// Only rows that are still as they were when the caller decided: one that was sent meanwhile waits for its retry, and must be found when that
// is due.
const free = (isFree: string) => `free AS MATERIALIZED (
    SELECT m.event_id, m.endpoint_num
      FROM unnest($3::uuid[], $4::int[], $5::smallint[]) AS p(event_id, endpoint_num, attempt) JOIN mailbox m ON ${isDeliveryOf('m', 'p')}
     WHERE ${asFilter(`m.attempt = p.attempt AND ${isFree}`)} AND m.due_at <= now() AND m.lane IN (SELECT lane FROM held) FOR UPDATE OF m SKIP LOCKED
  )`;

const PARK = `
  WITH ${HELD},
  ${free('NOT m.parked')},
  aside AS (
    UPDATE mailbox m SET parked = true FROM free f WHERE ${isDeliveryOf('m', 'f')} RETURNING m.endpoint_num, m.parked, m.replay_num, m.step
  )
  SELECT endpoint_num, ${PARKED_CLASS} AS class, count(*)::int AS rows FROM aside GROUP BY 1, 2`;

type Row = DeliveryKey & Pick<DueDelivery, 'attempt'>;

/** Rows that were parked. */
export interface ParkedRows {
  readonly endpointNum: number;
  readonly kind: DeliveryClass;
  readonly rows: number;
}

/**
 * Parks rows: takes them out of the index that the fetch reads, because their endpoint is disabled, closed, or has more due than its share.
 * @returns those that it parked, by the class that they have now: a retry by hand may have changed it since they were read
 */
export async function parkDeliveries(
  pool: pg.Pool,
  leases: readonly LaneLease[],
  rows: readonly Row[],
): Promise<readonly ParkedRows[]> {
  const values = [...leaseColumns(leases), ...rowColumns(rows)];
  const parked = await pool.query<ClassRow>({ name: 'park', text: PARK, values });
  return parked.rows.map((row) => parkedRowsOf(row, row.class));
}

const SET_BEHIND = `
  WITH ${HELD},
  ${free('m.order_key IS NOT NULL')}
  UPDATE mailbox m SET parked = true, due_at = 'infinity' FROM free f WHERE ${isDeliveryOf('m', 'f')}`;

/** Sets rows behind that are not the first of their key: no fetch finds them until they are promoted (src/store/order.ts). */
export async function setBehind(pool: pg.Pool, leases: readonly LaneLease[], rows: readonly Row[]): Promise<void> {
  await pool.query({ name: 'set-behind', text: SET_BEHIND, values: [...leaseColumns(leases), ...rowColumns(rows)] });
}

// Between the rows of a flood others may have millions. The scan of a lane is limited like that of the fetch, and returns where it ended.
const PARK_ENDPOINTS = `
  WITH ${HELD},
  seen AS MATERIALIZED (
    SELECT h.lane, s.*
      FROM held h
      JOIN unnest($1::smallint[], $5::float8[], $6::uuid[], $7::int[]) AS a(lane, due_ms, event_id, endpoint_num) ON a.lane = h.lane
     CROSS JOIN LATERAL (
       SELECT l.due_at, l.event_id, l.endpoint_num, l.place
         FROM (SELECT due_at, event_id, endpoint_num, row_number() OVER (ORDER BY due_at, event_id, endpoint_num) AS place
                 FROM mailbox
                WHERE lane = h.lane AND NOT parked AND due_at <= now()
                  AND (due_at, event_id, endpoint_num) > (to_timestamp(a.due_ms / 1000), a.event_id, a.endpoint_num)
                ORDER BY due_at, event_id, endpoint_num
                LIMIT $8::int) l
        WHERE l.endpoint_num = ANY($3::int[]) OR l.place = $8::int
        ORDER BY l.due_at, l.event_id, l.endpoint_num
        LIMIT $4::int
     ) s
  ),
  flood AS MATERIALIZED (
    SELECT m.endpoint_num, m.event_id, m.order_key, m.seq FROM seen s JOIN mailbox m ON ${isDeliveryOf('m', 's')}
     WHERE s.endpoint_num = ANY($3::int[]) AND ${asFilter('NOT m.parked')} AND m.due_at <= now() FOR UPDATE OF m SKIP LOCKED
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
  ),
  ends AS (
    SELECT * FROM (SELECT *, count(*) OVER of_lane AS found, max(place) OVER of_lane AS last FROM seen WINDOW of_lane AS (PARTITION BY lane)) s
     WHERE place = last AND (place = $8::int OR found = $4::int)
  )
  SELECT endpoint_num, ${PARKED_CLASS} AS class, count(*)::int AS rows, NULL::smallint AS lane, NULL::float8 AS due_ms, NULL::uuid AS event_id
    FROM aside GROUP BY 1, 2
  UNION ALL
  SELECT endpoint_num, NULL, 0, lane, (extract(epoch FROM due_at) * 1000)::float8, event_id FROM ends`;

/** What one sweep over due rows found of a flood. */
export interface ParkedFlood {
  readonly parked: readonly ParkedRows[];
  /** By lane, the last row of the sweep, if more may be due after it. */
  readonly ends: ReadonlyMap<number, Cursor>;
}

interface ClassRow {
  endpoint_num: number;
  class: number;
  rows: number;
}

interface FloodRow extends Omit<ClassRow, 'class'> {
  class: number | null;
  lane: number;
  due_ms: number;
  event_id: string;
}

/**
 * Parks what is due for flooded endpoints, which have far more due than they can take: many rows in one statement, unread, in due order.
 * Rows that are not the first of their key are set behind (see `setBehind`), so call `promoteAll` afterwards.
 * @param limit the most rows of each lane to park
 * @param after by lane, the row to go on after; without it, from the start
 */
export async function parkEndpoints(
  pool: pg.Pool,
  leases: readonly LaneLease[],
  endpointNums: readonly number[],
  limit: number,
  after: ReadonlyMap<number, Cursor> = new Map(),
): Promise<ParkedFlood> {
  const cursors = leases.map(({ lane }) => after.get(lane) ?? START);
  const { rows } = await pool.query<FloodRow>({
    name: 'park-endpoints',
    text: PARK_ENDPOINTS,
    values: [
      ...leaseColumns(leases),
      plainArray(endpointNums),
      limit,
      plainArray(cursors.map(({ dueAtMs }) => dueAtMs)),
      plainArray(cursors.map(({ eventUuid }) => eventUuid)),
      plainArray(cursors.map(({ endpointNum }) => endpointNum)),
      scanLimitOf({ limit }, leases.length, 0),
    ],
  });
  const parked: ParkedRows[] = [];
  const ends = new Map<number, Cursor>();
  for (const row of rows) {
    const { endpoint_num: endpointNum } = row;
    if (row.class === null) ends.set(row.lane, { dueAtMs: row.due_ms, eventUuid: row.event_id, endpointNum });
    else parked.push(parkedRowsOf(row, row.class));
  }
  return { parked, ends };
}

function leaseColumns(leases: readonly LaneLease[]): string[] {
  return [plainArray(leases.map(({ lane }) => lane)), plainArray(leases.map(({ epoch }) => epoch))];
}

function rowColumns(rows: readonly Row[]): string[] {
  return [
    plainArray(rows.map((row) => row.eventUuid)),
    plainArray(rows.map((row) => row.endpointNum)),
    plainArray(rows.map((row) => row.attempt)),
  ];
}

function parkedRowsOf({ endpoint_num: endpointNum, rows }: Omit<ClassRow, 'class'>, code: number): ParkedRows {
  return { endpointNum, kind: CLASSES[code]!, rows };
}
