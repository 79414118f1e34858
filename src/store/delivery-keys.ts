import type pg from 'pg';
import type { ScanStep } from './bounded-scan.ts';
import { DECISION } from './codes.ts';
import { UNEXPANDED } from './expansions.ts';

/** Which delivery: an event and an endpoint. Lists begin with the newest event, and within an event with the newest endpoint. */
export interface DeliveryKey {
  readonly eventUuid: string;
  readonly endpointNum: number;
}

/** Sorts into the order in which all statements lock that wait for several rows of the mailbox. */
export function byKey(a: DeliveryKey, b: DeliveryKey): number {
  return a.endpointNum - b.endpointNum || (a.eventUuid < b.eventUuid ? -1 : 1);
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

const toKey = (row: Row): DeliveryKey => ({ eventUuid: row.event_id, endpointNum: row.endpoint_num });

/** The position before everything in the range: `to` itself is not in it, whatever the endpoint. */
export function startOf(range: KeyRange, after: DeliveryKey | null): DeliveryKey {
  return after !== null && after.eventUuid < range.to ? after : { eventUuid: range.to, endpointNum: 0 };
}

// Each endpoint contributes its newest rows. If it has as many as it may contribute, more may follow its last one, so the step ends at the
// newest of such last rows (`horizon`). The same goes for events that are still to be expanded. Of each of them as many deliveries are
// looked at as the step may return.
const WIDE_EVENTS = 32;
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
  wide AS MATERIALIZED (
    SELECT * FROM expansions WHERE tenant_num = $1 AND event_id >= $3::uuid AND event_id <= $4::uuid AND NOT $8 ORDER BY event_id DESC LIMIT ${WIDE_EVENTS}
  ),
  every AS MATERIALIZED (
    SELECT event_id, endpoint_num, attempt FROM seen
    UNION ALL
    SELECT x.event_id, d.num, 0 FROM wide x CROSS JOIN LATERAL (
       SELECT num FROM unnest(${UNEXPANDED}) AS u(num)
        WHERE ($2::int IS NULL OR num = $2) AND (x.event_id < $4::uuid OR num < $5) ORDER BY num DESC LIMIT $7
    ) d
  ),
  horizon AS (
    SELECT event_id, endpoint_num FROM (
      (SELECT event_id, endpoint_num FROM seen WHERE n = $6)
      UNION ALL
      (SELECT event_id, 0 FROM wide ORDER BY event_id DESC OFFSET ${WIDE_EVENTS} - 1 LIMIT 1)
    ) ends ORDER BY event_id DESC, endpoint_num DESC LIMIT 1
  )
  SELECT s.event_id, s.endpoint_num, h.event_id AS horizon_event, h.endpoint_num AS horizon_num
    FROM (VALUES (1)) AS one
    LEFT JOIN horizon h ON true
    LEFT JOIN every s ON (s.attempt > 0) = $8 AND (h.event_id IS NULL OR (s.event_id, s.endpoint_num) >= (h.event_id, h.endpoint_num))
   ORDER BY s.event_id DESC, s.endpoint_num DESC LIMIT $7`;

/** Deliveries that wait, through the mailbox's primary key: one probe per endpoint of the tenant, or of the one given. */
export async function waitingKeys(
  pool: pg.Pool,
  range: KeyRange,
  only: { readonly endpointNum: number | null; readonly isRetry: boolean; readonly endpoints: number },
  after: DeliveryKey | null,
  size: number,
): Promise<KeyStep> {
  const start = startOf(range, after);
  const each = only.endpointNum === null ? Math.max(16, Math.ceil((2 * size) / Math.max(1, only.endpoints))) : size;
  const { rows } = await pool.query<WaitingRow>(WAITING, [
    range.tenantNum,
    only.endpointNum,
    range.from,
    start.eventUuid,
    start.endpointNum,
    each,
    size,
    only.isRetry,
  ]);
  const keys = rows.flatMap(({ event_id, endpoint_num }) =>
    event_id === null ? [] : [{ eventUuid: event_id, endpointNum: endpoint_num! }],
  );
  if (keys.length >= size) return { rows: keys, resume: keys.at(-1)! };
  const { horizon_event, horizon_num } = rows[0]!;
  return {
    rows: keys,
    resume: horizon_event === null ? null : { eventUuid: horizon_event, endpointNum: horizon_num! },
  };
}

interface WaitingRow {
  event_id: string | null;
  endpoint_num: number | null;
  horizon_event: string | null;
  horizon_num: number | null;
}

/**
 * Deliveries that were dead-lettered or cancelled at some time, through the partial index on those decisions: the sum in the order keeps
 * Postgres from the primary key, as in `dead-letter-list.ts`.
 */
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
      ORDER BY event_id DESC, endpoint_num + 0 DESC LIMIT $5`,
    [range.tenantNum, range.from, start.eventUuid, start.endpointNum, size],
  );
  const wanted = rows.filter(
    (row) => row.decision === only.decision && (only.endpointNum === null || row.endpoint_num === only.endpointNum),
  );
  return { rows: distinct(wanted.map(toKey)), resume: rows.length < size ? null : toKey(rows.at(-1)!) };
}

/**
 * All deliveries to one endpoint: its attempts and its mailbox rows, each through its index, and what its tenant has to expand, which is
 * seldom much, merged.
 */
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
       UNION ALL
       (SELECT x.event_id, $2 FROM expansions x
         WHERE x.tenant_num = $1 AND x.event_id >= $3::uuid AND x.event_id < $4::uuid AND $2 = ANY(${UNEXPANDED}) ORDER BY x.event_id DESC LIMIT $5)
     ) both_sides ORDER BY event_id DESC LIMIT $5`,
    [range.tenantNum, endpointNum, range.from, start.eventUuid, size],
  );
  return { rows: distinct(rows.map(toKey)), resume: rows.length < size ? null : toKey(rows.at(-1)!) };
}

/** Keys in order, each once: an index has an entry per attempt. */
function distinct(keys: readonly DeliveryKey[]): DeliveryKey[] {
  return keys.filter(({ eventUuid, endpointNum }, i) => {
    const before = keys[i - 1];
    return before === undefined || before.eventUuid !== eventUuid || before.endpointNum !== endpointNum;
  });
}
