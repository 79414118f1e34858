import { DECISION, ENDING, OUTCOME_CODES } from './codes.ts';
import type { Queryable } from './in-transaction.ts';

const ATTEMPTS_AT_ONCE = 1_000;
/** How long after its cancellation a replay's deliveries are looked at: no request that was under way then is still. */
const SETTLED_AFTER = '1 hour';

// Only a replay of what an endpoint missed makes deliveries that were not there before, and it names its endpoint, whose attempts are found by an index. While its tenant has a replay
// that is not finished, that may be about to make the same delivery, with the numbers that follow.
const OWED = `
  SELECT num, (filter->'plan'->>'endpointNum')::int AS "endpointNum", filter->'plan'->>'to' AS "to",
         coalesce(ends_looked_to::text, filter->'plan'->>'from') AS "from", ends_looked_to IS NOT NULL AS "hasBegun"
    FROM replays r
   WHERE state = 'cancelled' AND finished_at < now() - interval '${SETTLED_AFTER}'
     AND filter->'plan'->>'endpointNum' IS NOT NULL AND filter->'plan'->>'status' IS NULL
     AND coalesce(ends_looked_to < (filter->'plan'->>'to')::uuid, ends_looked_to IS NULL)
     AND NOT EXISTS (SELECT FROM replays u WHERE u.tenant_num = r.tenant_num AND u.state IN ('pending', 'running'))
   ORDER BY num LIMIT 1`;

// What the receiver took is delivered. Else the entry is added that a cancellation writes; the number before it stays free, as there.
const ADD = `
  WITH looked AS MATERIALIZED (
    SELECT event_id FROM attempts WHERE endpoint_num = $1 AND event_id >= $2::uuid AND event_id < $3::uuid AND ($4 OR event_id > $2::uuid)
     ORDER BY event_id LIMIT ${ATTEMPTS_AT_ONCE}
  ),
  left_open AS MATERIALIZED (
    SELECT a.event_id, a.tenant_num, max(a.attempt) AS last,
           max(a.attempt) FILTER (WHERE a.decision = ${DECISION.late} AND a.outcome = ${OUTCOME_CODES.delivered}) AS taken
      FROM (SELECT DISTINCT event_id FROM looked) l JOIN attempts a ON a.event_id = l.event_id AND a.endpoint_num = $1
     WHERE NOT EXISTS (SELECT FROM mailbox m WHERE m.endpoint_num = $1 AND m.event_id = a.event_id)
     GROUP BY 1, 2 HAVING NOT bool_or(a.${ENDING})
  ),
  delivered AS (
    UPDATE attempts a SET decision = ${DECISION.done} FROM left_open l
     WHERE l.taken IS NOT NULL AND a.event_id = l.event_id AND a.endpoint_num = $1 AND a.attempt = l.taken
  ),
  cancelled AS (
    INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision, detail)
    SELECT event_id, now(), $1, tenant_num, last + 2, ${OUTCOME_CODES.skipped}, ${DECISION.cancel}, 'replay_cancelled' FROM left_open WHERE taken IS NULL
    ON CONFLICT DO NOTHING
  )
  SELECT (SELECT count(*)::int FROM left_open) AS added, (SELECT count(*)::int FROM looked) AS looked,
         (SELECT event_id FROM looked ORDER BY event_id DESC LIMIT 1) AS last`;

// The last of several processes that look at once does not take back what another has noted.
const NOTE = `UPDATE replays SET ends_looked_to = greatest(ends_looked_to, $2::uuid) WHERE num = $1`;

interface Owed {
  readonly num: number;
  readonly endpointNum: number;
  readonly from: string;
  readonly to: string;
  readonly hasBegun: boolean;
}

interface Added {
  readonly added: number;
  readonly looked: number;
  readonly last: string | null;
}

/**
 * Ends deliveries that earlier versions left without an end where a replay made them and was cancelled during their attempt: each is shown as cancelled, and no list of the cancelled has it. Each
 * cancelled replay is looked at once, some attempts at a time; what stops half way goes on there.
 * @param signal ends it after the statement that is under way
 * @returns how many
 */
export async function addMissingEnds(db: Queryable, signal?: AbortSignal): Promise<number> {
  let total = 0;
  while (signal?.aborted !== true) {
    const { rows } = await db.query<Owed>(OWED);
    if (rows[0] === undefined) break;
    total += await addChunk(db, rows[0]);
  }
  return total;
}

async function addChunk(db: Queryable, { num, endpointNum, from, to, hasBegun }: Owed): Promise<number> {
  const { rows } = await db.query<Added>(ADD, [endpointNum, from, to, !hasBegun]);
  const { added, looked, last } = rows[0]!;
  await db.query(NOTE, [num, looked < ATTEMPTS_AT_ONCE || last === null ? to : last]);
  return added;
}
