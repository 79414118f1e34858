import type pg from 'pg';
import { DECISION, ENDING, OUTCOME_CODES } from './codes.ts';
import { inTransaction, type Queryable } from './in-transaction.ts';
import { LAST_GIVES_WAY, numberOfEnd } from './last-number.ts';
import { byLogDay } from './log-days.ts';
import { plainArray } from './plain-array.ts';
import { isDeliveryOf } from './probe.ts';
import { lockRedrives } from './redrive.ts';

const ATTEMPTS_AT_ONCE = 1_000;
/** Attempts that are looked at in one run: some seconds of Postgres. */
const ATTEMPTS_A_RUN = 50_000;
/** What it costs at least to look at a replay, in attempts. */
const LEAST_COST = 100;
/** How long after its cancellation a replay's deliveries are looked at: by then no request that was under way at that moment is still. */
const SETTLED_AFTER = '1 hour';
/** What came with the version that leaves nothing open, and how long after it processes of the one before may run. */
const SINCE = '20261130030000_looks_for_ends';
const ROLLING_UPGRADE = '7 days';
/** Past every event: `ends_looked_to` of a replay that is done with. */
const PAST_ALL = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
/** Held while a part is looked at, so that processes do not all look at once. Any fixed number will do; 7407 is ours. */
const LOCK = 7407;

// Only a replay of what an endpoint missed makes deliveries that were not there before, and it names its endpoint, whose attempts are found
// by an index. It has looked at no event past its cursor. The conditions are those of the index.
const OWED = `
  SELECT num, tenant_num AS "tenantNum", (filter->'plan'->>'endpointNum')::int AS "endpointNum", filter->'plan'->'eventUuids' AS named,
         ends_looked_to AS "lookedTo", filter->'plan'->>'from' AS "from", filter->'plan'->>'to' AS "to", cursor
    FROM replays
   WHERE state = 'cancelled' AND matched > 0 AND ends_looked_to IS DISTINCT FROM '${PAST_ALL}'
     AND (filter->'plan'->>'endpointNum') IS NOT NULL AND (filter->'plan'->>'status') IS NULL
     AND finished_at < now() - interval '${SETTLED_AFTER}'
     AND finished_at < (SELECT max(finished_at) + interval '${ROLLING_UPGRADE}' FROM _prisma_migrations WHERE migration_name = '${SINCE}')
   ORDER BY finished_at LIMIT 1`;

// The entry is added that a cancellation writes; the number before it stays free, as there. What the receiver took is given back. The
// attempts of each event are looked up by a subquery that the planner cannot join: taking them for few, it goes through all that the range
// has of the endpoint.
const ADD = `
  WITH looked AS MATERIALIZED (
    SELECT event_id FROM attempts
     WHERE endpoint_num = $1 AND event_id >= $2::uuid AND ($3 OR event_id > $2::uuid) AND event_id < $4::uuid AND event_id <= $5::uuid
       AND ($6::uuid[] IS NULL OR event_id = ANY($6))
     ORDER BY event_id LIMIT ${ATTEMPTS_AT_ONCE}
  ),
  endless AS MATERIALIZED (
    SELECT l.event_id, $1::int AS endpoint_num, a.last, a.taken
      FROM (SELECT DISTINCT event_id FROM looked) l
     CROSS JOIN LATERAL (
       SELECT max(attempt) AS last, bool_or(${ENDING}) AS has_end,
              max(attempt) FILTER (WHERE decision = ${DECISION.late} AND outcome = ${OUTCOME_CODES.delivered}) AS taken
         FROM attempts WHERE event_id = l.event_id AND endpoint_num = $1 AND event_id >= $2::uuid AND event_id < $4::uuid AND event_id <= $5::uuid
     ) a
     WHERE NOT a.has_end
  ),
  left_open AS MATERIALIZED (
    SELECT * FROM endless e WHERE (SELECT true FROM mailbox m WHERE ${isDeliveryOf('m', 'e')}) IS NULL
  ),
  cancelled AS (
    INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision, detail)
    SELECT event_id, now(), endpoint_num, $7, ${numberOfEnd('last')}, ${OUTCOME_CODES.skipped}, ${DECISION.cancel}, 'replay_cancelled' FROM left_open WHERE taken IS NULL${LAST_GIVES_WAY}
  )
  SELECT (SELECT count(*)::int FROM left_open) AS added, (SELECT count(*)::int FROM looked) AS looked,
         (SELECT event_id FROM looked ORDER BY event_id DESC LIMIT 1) AS last,
         coalesce((SELECT json_agg(json_build_object('eventUuid', event_id, 'attempt', taken)) FROM left_open WHERE taken IS NOT NULL), '[]') AS taken`;

const DELIVER = `
  UPDATE attempts a SET decision = ${DECISION.done} FROM unnest($2::uuid[], $3::smallint[]) AS g(event_id, attempt)
   WHERE a.event_id >= $4::uuid AND a.event_id < $5::uuid AND a.event_id = g.event_id AND a.endpoint_num = $1 AND a.attempt = g.attempt`;

interface Owed {
  readonly num: number;
  readonly tenantNum: number;
  readonly endpointNum: number;
  /** In rising order; null: all events in the range. */
  readonly named: readonly string[] | null;
  readonly lookedTo: string | null;
  readonly from: string;
  readonly to: string;
  readonly cursor: string;
}

interface Taken {
  readonly eventUuid: string;
  readonly attempt: number;
}

interface Added {
  readonly added: number;
  readonly looked: number;
  readonly last: string | null;
  readonly taken: readonly Taken[];
}

/**
 * Ends deliveries that earlier versions left without an end where a replay made them and was cancelled during their attempt: each is shown
 * as cancelled, and no list of the cancelled has it. Those that the receiver took are delivered. Each cancelled replay of that time is
 * looked at once, some attempts at a time, and so many in a run; what stops half way goes on there.
 * @param signal ends it after the transaction that is under way
 * @returns how many; none while another process is at it
 */
export async function addMissingEnds(pool: pg.Pool, signal?: AbortSignal): Promise<number> {
  let total = 0;
  for (let left = ATTEMPTS_A_RUN; left > 0 && signal?.aborted !== true; ) {
    const part = await inTransaction(pool, addPart);
    if (part === null) break;
    total += part.added;
    left -= Math.max(LEAST_COST, part.looked);
  }
  return total;
}

/** @returns null when there is nothing to look at, or another process does */
async function addPart(client: Queryable): Promise<Added | null> {
  const { rows: locks } = await client.query<{ taken: boolean }>('SELECT pg_try_advisory_xact_lock($1) AS taken', [
    LOCK,
  ]);
  if (locks[0]?.taken !== true) return null;
  const { rows } = await client.query<Owed>(OWED);
  if (rows[0] === undefined) return null;
  // What is brought back meanwhile goes on from the number that its last attempt has.
  await lockRedrives(client, rows[0].tenantNum);
  return endThose(client, rows[0]);
}

async function endThose(client: Queryable, owed: Owed): Promise<Added> {
  const { num, tenantNum, endpointNum, named, lookedTo, to } = owed;
  const from = latest(lookedTo ?? owed.from, named?.[0]);
  const through = earliest(owed.cursor, named?.at(-1));
  const values = [
    endpointNum,
    from,
    from !== lookedTo,
    to,
    through,
    named === null ? null : plainArray(named),
    tenantNum,
  ];
  const { rows } = await client.query<Added>(ADD, values);
  const { looked, last, taken } = rows[0]!;
  await deliver(client, endpointNum, taken);
  const isDone = looked < ATTEMPTS_AT_ONCE || last === null;
  await client.query('UPDATE replays SET ends_looked_to = $2::uuid WHERE num = $1', [num, isDone ? PAST_ALL : last]);
  return rows[0]!;
}

async function deliver(client: Queryable, endpointNum: number, taken: readonly Taken[]): Promise<void> {
  for (const { from, to, rows } of byLogDay(taken)) {
    const [events, attempts] = [rows.map(({ eventUuid }) => eventUuid), rows.map(({ attempt }) => attempt)];
    await client.query(DELIVER, [endpointNum, plainArray(events), plainArray(attempts), from, to]);
  }
}

function latest(uuid: string, other: string | undefined): string {
  return other === undefined || other < uuid ? uuid : other;
}

function earliest(uuid: string, other: string | undefined): string {
  return other === undefined || other > uuid ? uuid : other;
}
