import type pg from 'pg';
import { DECISION, ENDING } from './codes.ts';
import { REASON } from './dead-letter-reason.ts';
import type { DeliveryKey } from './delivery-keys.ts';
import type { Subscription } from './endpoint-rows.ts';
import { UNEXPANDED } from './expansions.ts';
import type { Queryable } from './in-transaction.ts';
import { plainArray } from './plain-array.ts';
import type { ReplayedStatus, ReplayPlan } from './replays.ts';
import { WHOLE_FROM } from './whole-days.ts';

/** A replay that is under way, held by this transaction. */
export interface HeldReplay {
  readonly num: number;
  readonly tenantNum: number;
  readonly plan: ReplayPlan;
  /** The last event that was looked at; null at the start. */
  readonly cursor: string | null;
  /** When it was made, in ms of Postgres's clock. */
  readonly createdMs: number;
}

export interface UnfinishedReplay {
  readonly num: number;
  /** Whether it has queued all that it will, and waits for some of it. */
  readonly onlyWaits: boolean;
}

const READ_AT_ONCE = 1_000;

/** All replays that are not finished, oldest first. All, so that none waits behind others that wait long. */
export async function* unfinishedReplays(pool: pg.Pool): AsyncGenerator<UnfinishedReplay> {
  for (let after = 0; ; ) {
    const { rows } = await pool.query<UnfinishedReplay>(
      `SELECT num, coalesce(cursor >= (filter->'plan'->>'to')::uuid AND (SELECT true FROM mailbox m WHERE m.replay_num = r.num LIMIT 1), false) AS "onlyWaits"
         FROM replays r WHERE state IN ('pending', 'running') AND num > $1 ORDER BY num LIMIT ${READ_AT_ONCE}`,
      [after],
    );
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < READ_AT_ONCE) return;
    after = last.num;
  }
}

/** Takes a replay for this transaction; null when it is finished or another worker has it. */
export async function holdReplay(client: Queryable, num: number): Promise<HeldReplay | null> {
  const { rows } = await client.query<HeldRow>(
    `SELECT tenant_num, filter->'plan' AS plan, cursor, created_at FROM replays WHERE num = $1 AND state IN ('pending', 'running') FOR UPDATE SKIP LOCKED`,
    [num],
  );
  const row = rows[0];
  if (row === undefined) return null;
  return { num, tenantNum: row.tenant_num, plan: row.plan, cursor: row.cursor, createdMs: row.created_at.getTime() };
}

interface HeldRow {
  tenant_num: number;
  plan: ReplayPlan;
  cursor: string | null;
  created_at: Date;
}

/** Whether at least `count` deliveries of the replay wait for their attempt, of those that are not parked (`open`) or of all. It counts no further. */
export async function waitsWith(client: Queryable, num: number, count: number, of: 'open' | 'all'): Promise<boolean> {
  const { rows } = await client.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM (SELECT 1 FROM mailbox WHERE replay_num = $1${of === 'open' ? ' AND NOT parked' : ''} LIMIT $2) few`,
    [num, count],
  );
  return rows[0]!.n >= count;
}

export interface ReplayedEvent {
  readonly uuid: string;
  readonly type: string;
  /** Whether its day was dropped: then it must be restored before its deliveries can be made, if it was not before. */
  readonly isKept: boolean;
  /** Whether it was sent to one endpoint to try it. */
  readonly isTest: boolean;
}

export interface EventChunk {
  /** Events that still have their payload, oldest first. */
  readonly events: readonly ReplayedEvent[];
  /** Where the next chunk starts; `to` when this was the last. */
  readonly cursor: string;
}

/** The next events of the replay, oldest first. */
export async function nextEvents(client: Queryable, replay: HeldReplay, size: number): Promise<EventChunk> {
  const uuids = await nextUuids(client, replay, size);
  const last = uuids.at(-1);
  if (last === undefined) return { events: [], cursor: replay.plan.to };
  const { rows } = await client.query<{ id: string; type: string; is_kept: boolean; is_test: boolean }>(
    `SELECT id, type, false AS is_kept, EXISTS (SELECT FROM test_events t WHERE t.event_id = events.id) AS is_test FROM events WHERE tenant_num = $1 AND id = ANY($2::uuid[]) AND expunged_at IS NULL
      UNION ALL
     SELECT id, type, true, false FROM kept_events WHERE tenant_num = $1 AND id = ANY($2::uuid[]) AND expunged_at IS NULL AND $3
      UNION ALL
     SELECT r.old_id, v.type, true, false FROM restored_events r JOIN events v ON v.id = r.new_id AND v.tenant_num = $1
      WHERE r.tenant_num = $1 AND r.old_id = ANY($2::uuid[]) AND v.expunged_at IS NULL AND $3
      ORDER BY id`,
    [replay.tenantNum, plainArray(uuids), replay.plan.status === 'dead_lettered'],
  );
  return {
    events: rows.map(({ id, type, is_kept, is_test }) => ({ uuid: id, type, isKept: is_kept, isTest: is_test })),
    cursor: last,
  };
}

/** Bodies of events, as they are delivered, by their UUIDs. */
export async function replayedBodies(
  client: Queryable,
  tenantNum: number,
  uuids: readonly string[],
): Promise<ReadonlyMap<string, Buffer>> {
  const { rows } = await client.query<{ id: string; body: Buffer }>(
    'SELECT id, body FROM events WHERE tenant_num = $1 AND id = ANY($2::uuid[])',
    [tenantNum, plainArray(uuids)],
  );
  return new Map(rows.map(({ id, body }) => [id, body]));
}

// Dead letters and cancellations are found through their own index; for everything else the log is walked. If an event was brought back under
// a new UUID that the replay has passed already, its dead letters are found by the old UUID.
async function nextUuids(
  client: Queryable,
  { tenantNum, plan, cursor }: HeldReplay,
  size: number,
): Promise<readonly string[]> {
  const { from, to, eventUuids, status } = plan;
  if (eventUuids !== null) {
    return eventUuids.filter((uuid) => uuid >= from && uuid < to && (cursor === null || uuid > cursor)).slice(0, size);
  }
  const values = [tenantNum, cursor === null ? from : cursor, to, cursor, size];
  const { rows } = await client.query<{ id: string }>(sourceOf(status), values);
  return [...new Set(rows.map(({ id }) => id))];
}

function sourceOf(status: ReplayedStatus | null): string {
  const side = (table: string, column: string, where: string) => `
    (SELECT ${column} AS id FROM ${table} WHERE tenant_num = $1 AND ${where}
        AND ${column} >= $2::uuid AND ${column} < $3::uuid AND ($4::uuid IS NULL OR ${column} > $4::uuid) ORDER BY ${column} LIMIT $5)`;
  const ended = side('attempts', 'event_id', `decision IN (${DECISION.deadLetter}, ${DECISION.cancel})`);
  switch (status) {
    case 'dead_lettered':
      return `${ended} UNION ALL ${side('kept_dead_letters', 'event_id', 'true')} UNION ALL ${side('restored_events', 'old_id', 'new_id >= $3::uuid')} ORDER BY id LIMIT $5`;
    case 'cancelled':
      return ended;
    default:
      return side('events', 'id', 'true');
  }
}

export interface ReplayEndpoints {
  /** Numbers of those that the replay may deliver to: the one that it names, or all that are enabled. Deleted ones never. */
  readonly open: readonly number[];
  /** Numbers of those that it leaves out because they are disabled. */
  readonly disabled: readonly number[];
}

export async function replayEndpoints(client: Queryable, { tenantNum, plan }: HeldReplay): Promise<ReplayEndpoints> {
  const { rows } = await client.query<{ num: number; is_open: boolean }>(
    `SELECT num, enabled OR $2::int IS NOT NULL AS is_open FROM endpoints
      WHERE tenant_num = $1 AND deleted_at IS NULL AND ($2::int IS NULL OR num = $2) ORDER BY num`,
    [tenantNum, plan.endpointNum],
  );
  const numsOf = (isOpen: boolean) => rows.filter((row) => row.is_open === isOpen).map(({ num }) => num);
  return { open: numsOf(true), disabled: numsOf(false) };
}

/** What the endpoint subscribes to today; null when it is deleted. */
export async function replayedSubscriptions(
  client: Queryable,
  tenantNum: number,
  endpointNum: number,
): Promise<readonly Subscription[] | null> {
  const { rows } = await client.query<{ subscriptions: readonly Subscription[] }>(
    'SELECT subscriptions FROM endpoints WHERE tenant_num = $1 AND num = $2 AND deleted_at IS NULL',
    [tenantNum, endpointNum],
  );
  return rows[0]?.subscriptions ?? null;
}

export interface QueueInput {
  /** Events whose ended deliveries are made again. */
  readonly again: readonly string[];
  /** Events that the replay's endpoint gets although it never had them. */
  readonly missed: readonly string[];
  /** Deliveries of them that are wanted; null: every one. */
  readonly only: readonly DeliveryKey[] | null;
  readonly endpoints: readonly { readonly num: number; readonly lane: number }[];
}

/** Of a delivery's attempts, how it ended last; one without an end was cancelled. */
export const LAST_END = `coalesce((array_agg(decision ORDER BY attempt DESC) FILTER (WHERE ${ENDING}))[1], ${DECISION.cancel})`;

/** Why it became a dead letter then. @param asked the parameter for a reason that is looked for: without one nothing is computed */
export const lastReason = (asked: string) =>
  `(array_agg(CASE WHEN ${asked}::text IS NULL THEN NULL ELSE ${REASON} END ORDER BY attempt DESC) FILTER (WHERE ${ENDING}))[1]`;

// - At an ordered endpoint, what is made again takes a new place behind all that wait. Only a dead letter for which its key waits takes its
//   old one (see `REOPEN` in redrive.ts).
// - Deliveries that wait already are left alone. They must be seen in the same snapshot as their attempts, because the number of the next
//   attempt follows from these. `lockRedrives` keeps others from bringing deliveries of this tenant back meanwhile.
// - A delivery that does not wait and has no end counts as cancelled, as it is shown (src/store/delivery-reads.ts).
// - Of a day that is being dropped nobody can tell any more which deliveries an endpoint missed.
const QUEUE = `
  WITH again AS (
    SELECT p.id AS event_id, a.endpoint_num, a.attempt
      FROM unnest($3::uuid[]) AS p(id)
     CROSS JOIN LATERAL (
       SELECT endpoint_num, max(attempt) AS attempt,
              ${LAST_END} AS ended,
              ${lastReason('$9')} AS reason
         FROM attempts a WHERE event_id = p.id AND tenant_num = $2 AND ($7::int IS NULL OR endpoint_num = $7) GROUP BY endpoint_num
     ) a
     WHERE ($8::smallint IS NULL OR a.ended = $8) AND ($9::text IS NULL OR a.reason = $9)
       AND ($10::uuid[] IS NULL OR (p.id, a.endpoint_num) IN (SELECT * FROM unnest($10::uuid[], $11::int[])))
  ),
  missed AS (
    SELECT p.id AS event_id, $7::int AS endpoint_num, 0 AS attempt FROM unnest($4::uuid[]) AS p(id)
     WHERE p.id >= ${WHOLE_FROM}
       AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.event_id = p.id AND a.endpoint_num = $7)
       AND NOT EXISTS (SELECT 1 FROM expansions x WHERE x.event_id = p.id AND x.tenant_num = $2 AND $7 = ANY(${UNEXPANDED}))
  ),
  chosen AS MATERIALIZED (
    SELECT c.event_id, c.endpoint_num, c.attempt, t.lane, order_key(e.order_mode, v.subject) AS order_key
      FROM (SELECT * FROM again UNION ALL SELECT * FROM missed) c
      JOIN unnest($5::int[], $6::smallint[]) AS t(endpoint_num, lane) USING (endpoint_num)
      JOIN endpoints e ON e.num = c.endpoint_num
      LEFT JOIN events v ON v.id = c.event_id
     WHERE NOT EXISTS (SELECT 1 FROM mailbox m WHERE m.endpoint_num = c.endpoint_num AND m.event_id = c.event_id)
     ORDER BY c.event_id, c.endpoint_num
  ),
  resumed AS (
    DELETE FROM paused_keys p USING chosen c WHERE p.endpoint_num = c.endpoint_num AND p.event_id = c.event_id
    RETURNING p.endpoint_num, p.event_id, p.seq, p.paused_at
  )
  INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, replay_num, lane, attempt, order_key, seq, paused_at)
  SELECT c.event_id, date_trunc('milliseconds', now()), c.endpoint_num, $2, $1, c.lane, c.attempt, c.order_key,
         CASE WHEN c.order_key IS NOT NULL THEN coalesce(r.seq, nextval('mailbox_seq')) END, r.paused_at
    FROM chosen c LEFT JOIN resumed r USING (endpoint_num, event_id)
   ORDER BY c.event_id, c.endpoint_num
  ON CONFLICT (endpoint_num, event_id) DO NOTHING
  RETURNING endpoint_num`;

/** Queues deliveries of these events. @returns the number of each one's endpoint. */
export async function queueDeliveries(
  client: Queryable,
  { num, tenantNum, plan }: HeldReplay,
  input: QueueInput,
): Promise<readonly number[]> {
  const { rows } = await client.query<{ endpoint_num: number }>(QUEUE, [
    num,
    tenantNum,
    plainArray(input.again),
    plainArray(input.missed),
    plainArray(input.endpoints.map((endpoint) => endpoint.num)),
    plainArray(input.endpoints.map((endpoint) => endpoint.lane)),
    plan.endpointNum,
    plan.status === null ? null : decisionOf(plan.status),
    plan.reason ?? null,
    input.only === null ? null : plainArray(input.only.map((key) => key.eventUuid)),
    plainArray((input.only ?? []).map((key) => key.endpointNum)),
  ]);
  return rows.map((row) => row.endpoint_num);
}

export function decisionOf(status: ReplayedStatus): number {
  switch (status) {
    case 'delivered':
      return DECISION.done;
    case 'dead_lettered':
      return DECISION.deadLetter;
    case 'cancelled':
      return DECISION.cancel;
  }
}

/** What a chunk did: how many deliveries it queued, and how many it left out because their endpoints are disabled. */
export interface ChunkCounts {
  readonly queued: number;
  readonly skipped: number;
}

/** As many are counted of what is left out. */
const MOST_SKIPPED = 2_147_483_647;

/** Moves the replay on, in the transaction that queued its deliveries. */
export async function advanceReplay(
  client: Queryable,
  num: number,
  cursor: string,
  { queued, skipped }: ChunkCounts,
): Promise<void> {
  // What is left out costs nothing, so that there may be more of it than the column holds: that must not keep the replay from its end.
  await client.query(
    `UPDATE replays SET state = 'running', cursor = $2, matched = matched + $3, queued = queued + $3, skipped = least(skipped::bigint + $4::bigint, ${MOST_SKIPPED})
      WHERE num = $1`,
    [num, cursor, queued, skipped],
  );
}

export async function completeReplay(client: Queryable, num: number): Promise<void> {
  await client.query(`UPDATE replays SET state = 'completed', finished_at = now() WHERE num = $1`, [num]);
}
