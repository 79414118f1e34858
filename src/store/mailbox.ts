import type pg from 'pg';
import { ints, uuids } from './binary-array.ts';
import { column, valuesOf } from './columns.ts';
import type { DeliveryKey } from './delivery-keys.ts';
import { plainArray } from './plain-array.ts';
import { isDeliveryOf } from './probe.ts';

/** A delivery that is due: a row of the mailbox, with the version of its endpoint's settings. */
export interface DueDelivery {
  readonly eventUuid: string;
  readonly endpointNum: number;
  readonly tenantNum: number;
  readonly lane: number;
  /** Attempts on record; the next is this plus one. */
  readonly attempt: number;
  /** Position in the retry schedule. */
  readonly step: number;
  readonly dueAtMs: number;
  /** Whether a replay queued it: then live deliveries of its endpoint go before it. */
  readonly isReplay: boolean;
  readonly endpointVersion: number;
  /** Whether it was read from its endpoint's parked backlog. Its row stays parked until it is settled. */
  readonly isParked: boolean;
  /** Null if it is not ordered: it may overtake others. */
  readonly order: OrderPlace | null;
}

/** The place of an ordered delivery among those of its key. */
export interface OrderPlace {
  readonly key: number;
  readonly seq: number;
  /** The number of the row just before it; null when it is the first. */
  readonly behindSeq: number | null;
  /** Whether its key waits for a person. */
  readonly isPaused: boolean;
}

/** First attempts, retries, and what a replay queued. The index of each is its code in `PARKED_CLASS`. */
export const CLASSES = ['first', 'retry', 'replay'] as const;
export type DeliveryClass = (typeof CLASSES)[number];

/** The row after which a lane's fetch goes on. Late commits make rows visible behind it, so that the fetch starts over now and then. */
export interface Cursor {
  readonly dueAtMs: number;
  readonly eventUuid: string;
  readonly endpointNum: number;
}

export const START: Cursor = { dueAtMs: 0, eventUuid: '00000000-0000-0000-0000-000000000000', endpointNum: 0 };

export interface LaneFetch {
  readonly lane: number;
  readonly after: Cursor;
  /** Nothing that is due later is read. Without it, all that is due by now. */
  readonly untilMs?: number;
  readonly limit: number;
}

/**
 * The most rows that one statement scans, including those that it excludes by tenant or endpoint. All lanes of the process wait for the
 * statement, so its work is bounded however many rows a tenant has.
 */
const MAX_SCANNED_ROWS = 16_000;

/**
 * How many rows of its lane a fetch scans, or the parking of a flood: its share of `MAX_SCANNED_ROWS` and of the rows in memory, which it
 * excludes, but at least twice as many as it may bring.
 */
export function scanLimitOf(fetch: Pick<LaneFetch, 'limit'>, lanes: number, inMemory: number): number {
  return Math.max(2 * fetch.limit, Math.floor((MAX_SCANNED_ROWS + inMemory) / lanes));
}

/** What a fetch brought, in due order within a lane. */
export interface DueRows {
  readonly rows: DueDelivery[];
  /** By lane, the last row scanned where the scan hit its limit: more due rows may follow. */
  readonly stops: ReadonlyMap<number, Cursor>;
}

/** What a fetch leaves out. */
export interface FetchExclusions {
  /** Flooded ones: their rows are parked without being read (`parkEndpoints`). */
  readonly endpoints: readonly number[];
  /** Those that have their share of memory. */
  readonly tenants: readonly number[];
  /** Those that are in memory. */
  readonly rows: readonly DeliveryKey[];
}

/** A row of the mailbox as `DUE_COLUMNS` reads it, and what the fetch says of it. */
export interface DueRow {
  event_id: string;
  due_ms: number;
  endpoint_num: number;
  tenant_num: number;
  lane: number;
  attempt: number;
  step: number;
  is_replay: boolean;
  version: string;
  order_key: number | null;
  seq: string | null;
  behind_seq: string | null;
  is_paused: boolean;
  is_wanted: boolean;
  is_stop: boolean;
}

// CASE: only of ordered rows does Postgres look for the row before and for the paused key.
const ORDER_COLUMNS = `m.order_key, m.seq,
  CASE WHEN m.order_key IS NOT NULL THEN
    (SELECT b.seq FROM mailbox b WHERE b.endpoint_num = m.endpoint_num AND b.order_key = m.order_key AND b.seq < m.seq ORDER BY b.seq DESC LIMIT 1)
  END AS behind_seq,
  CASE WHEN m.order_key IS NOT NULL THEN
    EXISTS (SELECT FROM paused_keys p WHERE p.endpoint_num = m.endpoint_num AND p.order_key = m.order_key)
  ELSE false END AS is_paused`;

/** What is read of a row of the mailbox `m`, with the version of its endpoint `e`. */
export const DUE_COLUMNS = `m.event_id, (extract(epoch FROM m.due_at) * 1000)::float8 AS due_ms, m.endpoint_num, m.tenant_num, m.lane, m.attempt, m.step, m.replay_num IS NOT NULL AS is_replay, e.version, ${ORDER_COLUMNS}`;

// One statement for all lanes of the process: for each, an index range scan from the lane's cursor. What is excluded is in hashed subplans: to
// read excluded rows again, join and send them would cost ten times as much, and `<> ALL` of a parameter compares each row with each excluded
// tenant. `(SELECT $n)` keeps from the planner how much is excluded: what is more than fits into `work_mem` it would not hash, but go through
// anew for each row. Whoever is excluded may have millions of rows, so a lane's scan ends at `most` rows, and the last of them is returned as
// its stop.
const fetchDueSql = ({ untilParameter }: { readonly untilParameter?: string } = {}) => {
  const isUntil = untilParameter !== undefined;
  const array = isUntil ? `, ${untilParameter}::float8[]` : '';
  const name = isUntil ? ', until_ms' : '';
  const until = isUntil ? 'least(now(), to_timestamp(l.until_ms / 1000))' : 'now()';
  return `
  SELECT ${DUE_COLUMNS}, m.is_wanted, m.place = m.most AS is_stop
    FROM unnest($1::smallint[], $2::float8[], $3::uuid[], $4::int[], $5::int[], $10::int[]${array}) AS l(lane, due_ms, event_id, endpoint_num, size, most${name})
   CROSS JOIN LATERAL (
     SELECT s.*, l.most
       FROM (SELECT *, row_number() OVER (ORDER BY due_at, event_id, endpoint_num) AS place,
                    endpoint_num NOT IN (SELECT unnest((SELECT $6::int[]))) AND tenant_num NOT IN (SELECT unnest((SELECT $7::int[])))
                      AND (event_id, endpoint_num) NOT IN (SELECT unnest((SELECT $8::uuid[])), unnest((SELECT $9::int[]))) AS is_wanted
               FROM mailbox
              WHERE lane = l.lane AND NOT parked AND due_at <= ${until}
                AND (due_at, event_id, endpoint_num) > (to_timestamp(l.due_ms / 1000), l.event_id, l.endpoint_num)
              ORDER BY due_at, event_id, endpoint_num
              LIMIT l.most) s
      WHERE s.is_wanted OR s.place = l.most
      ORDER BY s.due_at, s.event_id, s.endpoint_num
      LIMIT l.size
   ) m
    JOIN endpoints e ON e.num = m.endpoint_num
   ORDER BY m.lane, m.due_at, m.event_id, m.endpoint_num`;
};

const FETCH_DUE = { name: 'fetch-due', text: fetchDueSql() };
// For lanes that are read from the start in parts. A statement of its own keeps the usual one simple.
const FETCH_DUE_UNTIL = { name: 'fetch-due-until', text: fetchDueSql({ untilParameter: '$11' }) };

/**
 * Due rows of each lane after its cursor, in due order within a lane. It claims none of them: only the lane's owner asks.
 * @param excluded rows that are not read
 */
export async function fetchDue(
  pool: pg.Pool,
  lanes: readonly LaneFetch[],
  excluded: FetchExclusions,
): Promise<DueRows> {
  const isInParts = lanes.some(({ untilMs }) => untilMs !== undefined);
  const untilMs = () => plainArray(lanes.map((fetch) => fetch.untilMs ?? 'Infinity'));
  const { rows } = await pool.query<DueRow>({
    ...(isInParts ? FETCH_DUE_UNTIL : FETCH_DUE),
    values: [
      plainArray(lanes.map((fetch) => fetch.lane)),
      plainArray(lanes.map((fetch) => fetch.after.dueAtMs)),
      plainArray(lanes.map((fetch) => fetch.after.eventUuid)),
      plainArray(lanes.map((fetch) => fetch.after.endpointNum)),
      plainArray(lanes.map((fetch) => fetch.limit)),
      plainArray(excluded.endpoints),
      plainArray(excluded.tenants),
      ...valuesOf(DELIVERY_KEY_COLUMNS, excluded.rows),
      plainArray(lanes.map((fetch) => scanLimitOf(fetch, lanes.length, excluded.rows.length))),
      ...(isInParts ? [untilMs()] : []),
    ],
  });
  const stops = rows.filter((row) => row.is_stop).map((row) => [row.lane, toUnparked(row)] as const);
  return { rows: rows.filter((row) => row.is_wanted).map(toUnparked), stops: new Map(stops) };
}

export const DELIVERY_KEY_COLUMNS = [
  column(uuids, (row: DeliveryKey) => row.eventUuid),
  column(ints, (row: DeliveryKey) => row.endpointNum),
];

const toUnparked = (row: DueRow) => toDueDelivery(row, false);

export function toDueDelivery(row: DueRow, isParked: boolean): DueDelivery {
  return {
    eventUuid: row.event_id,
    endpointNum: row.endpoint_num,
    tenantNum: row.tenant_num,
    lane: row.lane,
    attempt: row.attempt,
    step: row.step,
    dueAtMs: row.due_ms,
    isReplay: row.is_replay,
    endpointVersion: Number(row.version),
    isParked,
    order: orderOf(row),
  };
}

function orderOf({ order_key: key, seq, behind_seq: behind, is_paused: isPaused }: DueRow): OrderPlace | null {
  if (key === null) return null;
  return { key, seq: Number(seq), behindSeq: behind === null ? null : Number(behind), isPaused };
}

/** @returns those of the rows that are in the mailbox as they were read. The others were cancelled, or retried by hand, meanwhile. */
export async function stillWaiting(
  pool: pg.Pool,
  rows: readonly DueDelivery[],
): Promise<{ eventUuid: string; endpointNum: number }[]> {
  const found = await pool.query<{ event_id: string; endpoint_num: number }>({
    name: 'still-waiting',
    text: `SELECT m.event_id, m.endpoint_num
             FROM unnest($1::uuid[], $2::int[], $3::smallint[]) AS k(event_id, endpoint_num, attempt)
             JOIN mailbox m ON ${isDeliveryOf('m', 'k')} AND m.attempt = k.attempt`,
    values: [
      plainArray(rows.map((row) => row.eventUuid)),
      plainArray(rows.map((row) => row.endpointNum)),
      plainArray(rows.map((row) => row.attempt)),
    ],
  });
  return found.rows.map((row) => ({ eventUuid: row.event_id, endpointNum: row.endpoint_num }));
}

/** When the next row of each lane falls due, in ms from now on Postgres's clock (0 = due already); lanes with none are absent. */
export async function nextDue(pool: pg.Pool, lanes: readonly number[]): Promise<Map<number, number>> {
  const { rows } = await pool.query<{ lane: number; in_ms: number | null }>({
    name: 'next-due',
    text: `SELECT l.lane, (SELECT greatest(0, extract(epoch FROM m.due_at - now()) * 1000)::float8
                             FROM mailbox m WHERE m.lane = l.lane AND NOT m.parked ORDER BY m.due_at LIMIT 1) AS in_ms
             FROM unnest($1::smallint[]) AS l(lane)`,
    values: [plainArray(lanes)],
  });
  return new Map(rows.flatMap((row) => (row.in_ms === null ? [] : [[row.lane, row.in_ms] as const])));
}

export interface EventBody {
  readonly externalId: string | null;
  readonly body: Uint8Array;
  readonly expunged: boolean;
}
