import type pg from 'pg';
import { valuesOf } from './columns.ts';
import type { DeliveryKey } from './delivery-keys.ts';
import {
  CLASSES,
  type Cursor,
  DELIVERY_KEY_COLUMNS,
  type DeliveryClass,
  DUE_COLUMNS,
  type DueDelivery,
  type DueRow,
  toDueDelivery,
} from './mailbox.ts';
import { plainArray } from './plain-array.ts';

/** The code of a parked row's class; null for other rows. Must be the expression of mailbox_parked_class_idx, word for word. */
export const PARKED_CLASS =
  'CASE WHEN NOT parked THEN NULL WHEN replay_num IS NOT NULL THEN 2 WHEN step > 0 THEN 1 ELSE 0 END';

// An index range scan for each class of an endpoint. It meets no rows of other classes, however many there are. For `(SELECT $n)` see
// `fetchDue`.
const FETCH_PARKED = `
  SELECT ${DUE_COLUMNS}
    FROM unnest($1::smallint[], $2::int[], $3::int[], $4::float8[], $5::uuid[], $6::int[]) AS l(lane, endpoint_num, class, due_ms, event_id, size)
   CROSS JOIN LATERAL (
     SELECT * FROM mailbox
      WHERE lane = l.lane AND endpoint_num = l.endpoint_num AND ${PARKED_CLASS} = l.class AND due_at <= now()
        AND (due_at, event_id) > (to_timestamp(l.due_ms / 1000), l.event_id)
        AND (event_id, endpoint_num) NOT IN (SELECT unnest((SELECT $7::uuid[])), unnest((SELECT $8::int[])))
      ORDER BY due_at, event_id
      LIMIT l.size
   ) m
    JOIN endpoints e ON e.num = m.endpoint_num
   ORDER BY m.endpoint_num, m.due_at, m.event_id`;

export interface ParkedFetch {
  readonly lane: number;
  readonly endpointNum: number;
  readonly kind: DeliveryClass;
  readonly after: Cursor;
  readonly limit: number;
}

/**
 * Due rows of parked backlogs, up to `limit` of each asked class, in due order within an endpoint. They stay parked in the table until they
 * are settled.
 *
 * The statement has no name, so that it is planned each time: a plan that was made while few rows waited would scan all rows of an endpoint.
 * @param held rows that are left out because they are in memory
 */
export async function fetchParked(
  pool: pg.Pool,
  endpoints: readonly ParkedFetch[],
  held: readonly DeliveryKey[],
): Promise<DueDelivery[]> {
  const { rows } = await pool.query<DueRow>({
    text: FETCH_PARKED,
    values: [
      plainArray(endpoints.map((fetch) => fetch.lane)),
      plainArray(endpoints.map((fetch) => fetch.endpointNum)),
      plainArray(endpoints.map((fetch) => CLASSES.indexOf(fetch.kind))),
      plainArray(endpoints.map((fetch) => fetch.after.dueAtMs)),
      plainArray(endpoints.map((fetch) => fetch.after.eventUuid)),
      plainArray(endpoints.map((fetch) => fetch.limit)),
      ...valuesOf(DELIVERY_KEY_COLUMNS, held),
    ],
  });
  return rows.map((row) => toDueDelivery(row, true));
}

// A loose index scan: one probe for each endpoint that has parked rows, however many it has.
const PARKED_ENDPOINTS = `
  WITH RECURSIVE found AS (
    SELECT l.lane, (SELECT min(endpoint_num) FROM mailbox m WHERE m.lane = l.lane AND m.parked) AS endpoint_num
      FROM unnest($1::smallint[]) AS l(lane)
    UNION ALL
    SELECT f.lane, (SELECT min(endpoint_num) FROM mailbox m WHERE m.lane = f.lane AND m.parked AND m.endpoint_num > f.endpoint_num)
      FROM found f WHERE f.endpoint_num IS NOT NULL
  )
  SELECT lane, endpoint_num FROM found WHERE endpoint_num IS NOT NULL`;

/** Which endpoints of these lanes have a parked backlog: a new owner must know. */
export async function parkedEndpoints(
  pool: pg.Pool,
  lanes: readonly number[],
): Promise<{ lane: number; endpointNum: number }[]> {
  const { rows } = await pool.query<{ lane: number; endpoint_num: number }>({
    name: 'parked-endpoints',
    text: PARKED_ENDPOINTS,
    values: [plainArray(lanes)],
  });
  return rows.map((row) => ({ lane: row.lane, endpointNum: row.endpoint_num }));
}
