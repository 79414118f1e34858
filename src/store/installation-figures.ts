import type pg from 'pg';

/** Counting stops here: what is more than this is far too many in any case, and a look must stay cheap. */
const MOST = 10_000;
/** How many endpoints with a parked backlog are looked at, in lanes that nobody looks after: some 10 µs each. */
export const MOST_LOOKED_AT = 10_000;
/** How many of them that could be sent to are looked at: if no worker runs, one of them shows soon enough that deliveries wait. */
const MOST_WAITING = 2_000;

const count = (from: string) => `(SELECT count(*)::int FROM (SELECT FROM ${from} LIMIT ${MOST}) few)`;
const estimate = (table: string) => `coalesce(pg_stat_get_live_tuples('${table}'::regclass), 0)::float8`;

// A mark may be left of what is set aside no longer. Each is looked up by itself: joined, Postgres might go through the whole mailbox for them.
const SET_ASIDE = `poisoned_deliveries p WHERE (
    SELECT m.due_at FROM mailbox m WHERE m.endpoint_num = p.endpoint_num AND m.event_id = p.event_id) = 'infinity'`;

// Parked deliveries are looked at only in lanes that the sweepers of all workers have left alone, although the owner died or the lane was
// to be looked at by now (see `findSleepingLanes`): while a worker runs, no lane stays like that for longer than a second. What is parked
// for an endpoint that is disabled, not validated or closed has to stay parked, and does not count. Each endpoint is looked up by itself
// (LIMIT 1): for a join Postgres might go through all parked deliveries for each endpoint that there is.
const PARKED = `
  left_alone AS MATERIALIZED (
    SELECT lane, greatest(acquired_at, leased_until, CASE WHEN owner IS NULL THEN wake_at END) AS since FROM lanes WHERE leased_until < now() AND (owner IS NOT NULL OR wake_at <= now())
  ),
  parked AS (
    SELECT l.*, (SELECT min(endpoint_num) FROM mailbox m WHERE m.lane = l.lane AND m.parked) AS endpoint_num FROM left_alone l
    UNION ALL
    SELECT p.lane, p.since, (SELECT min(endpoint_num) FROM mailbox m WHERE m.lane = p.lane AND m.parked AND m.endpoint_num > p.endpoint_num) FROM parked p WHERE p.endpoint_num IS NOT NULL
  ),
  parked_due AS MATERIALIZED (
    SELECT min(since) AS since FROM (
      SELECT greatest(first.due_at, p.since, e.closed_until) AS since
        FROM (SELECT * FROM parked WHERE endpoint_num IS NOT NULL LIMIT ${MOST_LOOKED_AT}) p
       CROSS JOIN LATERAL (
         SELECT (SELECT closed_until FROM endpoint_states WHERE endpoint_num = p.endpoint_num) AS closed_until FROM endpoints
          WHERE num = p.endpoint_num AND enabled AND deleted_at IS NULL AND (validation = 'none' OR validation_state = 'validated') LIMIT 1
       ) e
       CROSS JOIN LATERAL (
         SELECT due_at FROM mailbox m WHERE m.lane = p.lane AND m.endpoint_num = p.endpoint_num AND m.parked AND due_at <= now() ORDER BY due_at LIMIT 1
       ) first
       WHERE coalesce(e.closed_until <= now(), true) LIMIT ${MOST_WAITING}
    ) waiting
  )`;

// What waits in a lane that changes hands may have been due long before, but was its owner's to send until then. So it counts as without an
// owner from when it fell due, but not from before `acquired_at`, when the last owner took the lane, and where that owner died not from
// before `leased_until` (of a lane that was given back that is long ago).
const FIGURES = `
  WITH RECURSIVE ${PARKED}
  SELECT coalesce(greatest(0, extract(epoch FROM now() - least((SELECT since FROM parked_due), (
           SELECT min(first.due_at) FROM lanes l
            CROSS JOIN LATERAL (SELECT due_at FROM mailbox m WHERE m.lane = l.lane AND NOT m.parked ORDER BY due_at LIMIT 1) first)))), 0)::float8 AS due_age_seconds,
         coalesce(extract(epoch FROM now() - least((SELECT since FROM parked_due), (
           SELECT min(greatest(first.due_at, l.acquired_at, l.leased_until)) FROM lanes l
            CROSS JOIN LATERAL (SELECT due_at FROM mailbox m WHERE m.lane = l.lane AND NOT m.parked AND due_at <= now() ORDER BY due_at LIMIT 1) first
            WHERE l.leased_until < now()))), 0)::float8 AS unowned_due_age_seconds,
         ${estimate('mailbox')} AS mailbox_rows,
         ${count(`endpoint_states WHERE closed_until > now() AND gate #>> '{breaker,state,phase}' = 'open'`)} AS breakers_open,
         ${count('lanes WHERE leased_until < now()')} AS lanes_without_owner,
         ${count('lanes WHERE crashes > 0')} AS lanes_crashed,
         ${count('lane_suspects')} AS suspects,
         ${count(SET_ASIDE)} AS deliveries_set_aside,
         (SELECT coalesce(sum(size - next), 0)::float8 FROM (SELECT size, next FROM expansions LIMIT ${MOST}) few) AS expansions_waiting,
         ${count('system_notices')} AS notices_waiting,
         ${estimate('kept_dead_letters')} AS dead_letters_kept`;

/** What only the database knows of the whole installation, by names of the metrics. One statement, cheap however large the tables are. */
export async function readFigures(pool: pg.Pool) {
  const { rows } = await pool.query<{
    due_age_seconds: number;
    unowned_due_age_seconds: number;
    mailbox_rows: number;
    breakers_open: number;
    lanes_without_owner: number;
    lanes_crashed: number;
    suspects: number;
    deliveries_set_aside: number;
    expansions_waiting: number;
    notices_waiting: number;
    dead_letters_kept: number;
  }>({ name: 'installation-figures', text: FIGURES });
  return rows[0]!;
}
