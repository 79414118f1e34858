import type pg from 'pg';
import { type DeliveryKey, type KeyRange, type KeyStep, startOf } from './delivery-keys.ts';
import { UNEXPANDED } from './expansions.ts';
import { plainArray } from './plain-array.ts';

const MAX_NUM = 0x7fffffff;
const LEAST_EVENTS = 8;

/** What a walk over the log may leave out. */
export interface WalkFilter {
  readonly type?: string | undefined;
  /** Leaves out what only waits and was never tried. */
  readonly onlyTried?: boolean;
}

/** All deliveries of a tenant, by walking its events. */
export async function walkLog(
  pool: pg.Pool,
  range: KeyRange,
  filter: WalkFilter,
  after: DeliveryKey | null,
  size: number,
): Promise<KeyStep> {
  const start = startOf(range, after);
  // Few events first: each may have thousands of deliveries. A filter on the event is told from the event alone, over more of them.
  const most = filter.type === undefined ? Math.max(LEAST_EVENTS, size >> 3) : LEAST_EVENTS;
  const looked = filter.type === undefined ? most : size;
  const { rows } = await pool.query<{ id: string; type: string }>(
    `SELECT id, type FROM events WHERE tenant_num = $1 AND id >= $2::uuid AND (id < $3::uuid OR (id = $3::uuid AND $4::int > 1)) ORDER BY id DESC LIMIT $5`,
    [range.tenantNum, range.from, start.eventUuid, start.endpointNum, looked],
  );
  const wanted = filter.type === undefined ? rows : rows.filter(({ type }) => type === filter.type);
  const uuids = wanted.slice(0, most).map(({ id }) => id);
  const found = await walkEvents(pool, range.tenantNum, uuids, start, size, filter);
  if (found.resume !== null) return found;
  const isCut = wanted.length > most;
  if (!isCut && rows.length < looked) return found;
  return { rows: found.rows, resume: { eventUuid: isCut ? uuids.at(-1)! : rows.at(-1)!.id, endpointNum: 0 } };
}

const TRIED = `
    SELECT w.id AS event_id, a.endpoint_num FROM unnest($2::uuid[]) AS w(id)
     CROSS JOIN LATERAL (
       SELECT DISTINCT endpoint_num FROM attempts
        WHERE event_id = w.id AND tenant_num = $1 AND (w.id < $3::uuid OR endpoint_num < $4) ORDER BY endpoint_num DESC LIMIT $5
     ) a`;

// Events that are neighbours in the log are one range of each endpoint's mailbox rows; others are probed one by one.
const waitingOf = (events: string) => `
    SELECT m.event_id, m.endpoint_num FROM endpoints e
     CROSS JOIN LATERAL (
       SELECT event_id, endpoint_num FROM mailbox
        WHERE endpoint_num = e.num AND ${events} AND (event_id < $3::uuid OR e.num < $4)
        ORDER BY event_id DESC LIMIT $5
     ) m
     WHERE e.tenant_num = $1`;

const TO_EXPAND = `
    SELECT x.event_id, d.num AS endpoint_num FROM expansions x CROSS JOIN LATERAL (
       SELECT num FROM unnest(${UNEXPANDED}) AS u(num) WHERE x.event_id < $3::uuid OR num < $4 ORDER BY num DESC LIMIT $5
     ) d
     WHERE x.tenant_num = $1 AND x.event_id = ANY($2::uuid[])`;

const ordered = (sides: string) =>
  `SELECT event_id, endpoint_num FROM (${sides}) sides ORDER BY event_id DESC, endpoint_num DESC LIMIT $5`;

const OF_TRIED = ordered(TRIED);
const OF_NEIGHBOURS = ordered(
  `${TRIED} UNION ${waitingOf('event_id >= $6::uuid AND event_id <= $7::uuid')} UNION ${TO_EXPAND}`,
);
const OF_SCATTERED = ordered(`${TRIED} UNION ${waitingOf('event_id = ANY($2::uuid[])')} UNION ${TO_EXPAND}`);

/** Deliveries of these events (newest first) after a position. `resume` is null when all of them were given. */
export async function walkEvents(
  pool: pg.Pool,
  tenantNum: number,
  eventUuids: readonly string[],
  start: DeliveryKey | null,
  size: number,
  filter: WalkFilter = {},
): Promise<KeyStep> {
  if (eventUuids.length === 0) return { rows: [], resume: null };
  const from = start ?? { eventUuid: eventUuids[0]!, endpointNum: MAX_NUM };
  const values: unknown[] = [tenantNum, plainArray(eventUuids), from.eventUuid, from.endpointNum, size];
  const isRange = filter.onlyTried !== true && filter.type === undefined;
  if (isRange) values.push(eventUuids.at(-1), eventUuids[0]);
  const text = isRange ? OF_NEIGHBOURS : filter.onlyTried === true ? OF_TRIED : OF_SCATTERED;
  const { rows } = await pool.query<{ event_id: string; endpoint_num: number }>(text, values);
  const keys = rows.map((row) => ({ eventUuid: row.event_id, endpointNum: row.endpoint_num }));
  return { rows: keys, resume: keys.length < size ? null : keys.at(-1)! };
}
