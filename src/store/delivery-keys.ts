import type pg from 'pg';
import { DECISION } from './codes.ts';
import type { ScanStep } from './bounded-scan.ts';
import { plainArray } from './plain-array.ts';

/** A delivery, by what it is. Lists go down from the newest event, and within an event from the newest endpoint. */
export interface DeliveryKey {
  readonly eventUuid: string;
  readonly endpointNum: number;
}

/** Where to look: a tenant, and a range of event UUIDs (`from` is in it, `to` is not). */
export interface KeyRange {
  readonly tenantNum: number;
  readonly from: string;
  readonly to: string;
}

export type KeyStep = ScanStep<DeliveryKey, DeliveryKey>;

interface Row {
  event_id: string;
  endpoint_num: number;
}

const MAX_NUM = 0x7fffffff;

const toKey = (row: Row): DeliveryKey => ({ eventUuid: row.event_id, endpointNum: row.endpoint_num });

/** The position before everything in the range: `to` itself is not in it, whatever the endpoint. */
export function startOf(range: KeyRange, after: DeliveryKey | null): DeliveryKey {
  return after !== null && after.eventUuid < range.to ? after : { eventUuid: range.to, endpointNum: 0 };
}

// Each endpoint gives its newest rows. One that gave as many as it may has been seen down to its last row only, so that the step
// covers no more than the newest of those last rows (`horizon`).
const WAITING = `
  WITH ends AS (SELECT num FROM endpoints WHERE tenant_num = $1 AND ($2::int IS NULL OR num = $2)),
  seen AS MATERIALIZED (
    SELECT m.event_id, m.endpoint_num, m.attempt, m.n
      FROM ends CROSS JOIN LATERAL (
        SELECT event_id, endpoint_num, attempt, row_number() OVER (ORDER BY event_id DESC) AS n FROM (
          SELECT event_id, endpoint_num, attempt FROM mailbox
           WHERE endpoint_num = ends.num AND event_id >= $3::uuid AND event_id <= $4::uuid AND (event_id < $4::uuid OR ends.num < $5)
           ORDER BY event_id DESC LIMIT $6
        ) newest
      ) m
  ),
  horizon AS (SELECT event_id, endpoint_num FROM seen WHERE n = $6 ORDER BY event_id DESC, endpoint_num DESC LIMIT 1)
  SELECT s.event_id, s.endpoint_num, s.attempt, h.event_id AS horizon_event, h.endpoint_num AS horizon_num
    FROM seen s LEFT JOIN horizon h ON true
   WHERE h.event_id IS NULL OR (s.event_id, s.endpoint_num) >= (h.event_id, h.endpoint_num)
   ORDER BY s.event_id DESC, s.endpoint_num DESC LIMIT $7`;

/** Deliveries that wait, through the mailbox's primary key: one probe per endpoint of the tenant, or of the one given. */
export async function waitingKeys(
  pool: pg.Pool,
  range: KeyRange,
  only: { readonly endpointNum: number | null; readonly isRetry: boolean | null; readonly endpoints: number },
  after: DeliveryKey | null,
  size: number,
): Promise<KeyStep> {
  const start = startOf(range, after);
  const each = only.endpointNum === null ? Math.max(16, Math.ceil((2 * size) / Math.max(1, only.endpoints))) : size;
  const { rows } = await pool.query<Row & { attempt: number; horizon_event: string | null; horizon_num: number | null }>(WAITING, [
    range.tenantNum,
    only.endpointNum,
    range.from,
    start.eventUuid,
    start.endpointNum,
    each,
    size,
  ]);
  const keys = rows.filter(({ attempt }) => only.isRetry === null || attempt > 0 === only.isRetry).map(toKey);
  const last = rows.at(-1);
  const isCut = rows.length >= size || last?.horizon_event != null;
  return { rows: keys, resume: isCut && last !== undefined ? toKey(last) : null };
}

/** Deliveries that were dead-lettered or cancelled at some time, through the partial index on those decisions. */
export async function endedKeys(
  pool: pg.Pool,
  range: KeyRange,
  only: { readonly endpointNum: number | null; readonly decision: number },
  after: DeliveryKey | null,
  size: number,
): Promise<KeyStep> {
  const start = startOf(range, after);
  const { rows } = await pool.query<Row & { decision: number }>(
    `SELECT event_id, endpoint_num, decision FROM attempts
      WHERE tenant_num = $1 AND decision IN (${DECISION.deadLetter}, ${DECISION.cancel})
        AND event_id >= $2::uuid AND event_id <= $3::uuid AND (event_id < $3::uuid OR endpoint_num < $4)
      ORDER BY event_id DESC, endpoint_num DESC LIMIT $5`,
    [range.tenantNum, range.from, start.eventUuid, start.endpointNum, size],
  );
  const wanted = rows.filter(
    (row) => row.decision === only.decision && (only.endpointNum === null || row.endpoint_num === only.endpointNum),
  );
  return { rows: distinct(wanted.map(toKey)), resume: rows.length < size ? null : toKey(rows.at(-1)!) };
}

/** All deliveries to one endpoint: its attempts and its mailbox rows, each through its index, merged. */
export async function endpointKeys(
  pool: pg.Pool,
  range: KeyRange,
  endpointNum: number,
  after: DeliveryKey | null,
  size: number,
): Promise<KeyStep> {
  const start = startOf(range, after);
  const { rows } = await pool.query<Row>(
    `SELECT event_id, endpoint_num FROM (
       (SELECT event_id, endpoint_num FROM attempts
         WHERE endpoint_num = $2 AND tenant_num = $1 AND event_id >= $3::uuid AND event_id < $4::uuid ORDER BY event_id DESC LIMIT $5)
       UNION ALL
       (SELECT event_id, endpoint_num FROM mailbox
         WHERE endpoint_num = $2 AND tenant_num = $1 AND event_id >= $3::uuid AND event_id < $4::uuid ORDER BY event_id DESC LIMIT $5)
     ) both_sides ORDER BY event_id DESC LIMIT $5`,
    [range.tenantNum, endpointNum, range.from, start.eventUuid, size],
  );
  return { rows: distinct(rows.map(toKey)), resume: rows.length < size ? null : toKey(rows.at(-1)!) };
}

const LEAST_EVENTS = 8;

/** All deliveries of a tenant, by walking its events. */
export async function logKeys(pool: pg.Pool, range: KeyRange, after: DeliveryKey | null, size: number): Promise<KeyStep> {
  const start = startOf(range, after);
  // Few events first: each may have thousands of deliveries.
  const events = Math.max(LEAST_EVENTS, size >> 3);
  const { rows: walked } = await pool.query<{ id: string }>(
    `SELECT id FROM events WHERE tenant_num = $1 AND id >= $2::uuid AND (id < $3::uuid OR (id = $3::uuid AND $4::int > 1)) ORDER BY id DESC LIMIT $5`,
    [range.tenantNum, range.from, start.eventUuid, start.endpointNum, events],
  );
  const uuids = walked.map(({ id }) => id);
  const found = await eventKeys(pool, range.tenantNum, uuids, start, size);
  if (found.resume !== null || walked.length < events) return found;
  return { rows: found.rows, resume: { eventUuid: uuids.at(-1)!, endpointNum: 0 } };
}

const OF_EVENTS = `
  SELECT event_id, endpoint_num FROM (
    SELECT w.id AS event_id, a.endpoint_num FROM unnest($2::uuid[]) AS w(id)
     CROSS JOIN LATERAL (
       SELECT DISTINCT endpoint_num FROM attempts
        WHERE event_id = w.id AND tenant_num = $1 AND (w.id < $3::uuid OR endpoint_num < $4) ORDER BY endpoint_num DESC LIMIT $5
     ) a
    UNION
    SELECT m.event_id, m.endpoint_num FROM endpoints e
     CROSS JOIN LATERAL (
       SELECT event_id, endpoint_num FROM mailbox
        WHERE endpoint_num = e.num AND event_id >= $6::uuid AND event_id <= $7::uuid AND (event_id < $3::uuid OR e.num < $4)
        ORDER BY event_id DESC LIMIT $5
     ) m
     WHERE e.tenant_num = $1
  ) both_sides ORDER BY event_id DESC, endpoint_num DESC LIMIT $5`;

/** Deliveries of these events, neighbours in the log, newest first, after a position. `resume` is null when all of them were given. */
export async function eventKeys(
  pool: pg.Pool,
  tenantNum: number,
  eventUuids: readonly string[],
  start: DeliveryKey | null,
  size: number,
): Promise<KeyStep> {
  if (eventUuids.length === 0) return { rows: [], resume: null };
  const from = start ?? { eventUuid: eventUuids[0]!, endpointNum: MAX_NUM };
  const values = [tenantNum, plainArray(eventUuids), from.eventUuid, from.endpointNum, size, eventUuids.at(-1), eventUuids[0]];
  const { rows } = await pool.query<Row>(OF_EVENTS, values);
  const keys = rows.map(toKey);
  return { rows: keys, resume: keys.length < size ? null : keys.at(-1)! };
}

/** Keys in order, each once: an index has an entry per attempt. */
function distinct(keys: readonly DeliveryKey[]): DeliveryKey[] {
  return keys.filter(({ eventUuid, endpointNum }, i) => {
    const before = keys[i - 1];
    return before === undefined || before.eventUuid !== eventUuid || before.endpointNum !== endpointNum;
  });
}
