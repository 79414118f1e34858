import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';

/** Endpoints that one statement empties. */
const PAGE = 1_000;
/** For each ms of a statement, so many ms of pause: after an update there may be millions of them, each of which is written anew. */
const PAUSES = 3;

/** Held by the statement under way, so that two processes do not do it at once. Any fixed number will do; 7408 is ours. */
const LOCK = 7408;

// Each endpoint is looked at until it is emptied, and not again after that, because there are ever more deleted ones. One that somebody
// else has locked is passed over until the next time. One to which a delivery came meanwhile has no `cancelled_at` any more, and is passed
// over too. Nothing new is sealed for an endpoint that is deleted.
const FORGET = `
  WITH alone AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(${LOCK}) AS taken),
  page AS MATERIALIZED (
    SELECT num FROM endpoints WHERE (SELECT taken FROM alone) AND num > $1 AND deleted_at IS NOT NULL AND cancelled_at IS NOT NULL AND emptied_at IS NULL ORDER BY num LIMIT $2
  ),
  gone AS MATERIALIZED (
    SELECT e.num, (e.headers_sealed IS NOT NULL OR e.destination_sealed IS NOT NULL OR EXISTS (SELECT FROM endpoint_secrets s WHERE s.endpoint_num = e.num)) AS had_any
      FROM page p JOIN endpoints e ON e.num = p.num
     WHERE e.deleted_at IS NOT NULL AND e.cancelled_at IS NOT NULL AND e.emptied_at IS NULL
     ORDER BY e.num FOR NO KEY UPDATE OF e SKIP LOCKED
  ),
  secrets AS (DELETE FROM endpoint_secrets s USING gone g WHERE s.endpoint_num = g.num),
  emptied AS (UPDATE endpoints e SET headers_sealed = NULL, destination_sealed = NULL, emptied_at = now() FROM gone g WHERE e.num = g.num)
  SELECT (SELECT max(num) FROM page) AS last, (SELECT count(*) FILTER (WHERE had_any) FROM gone)::int AS endpoints`;

/**
 * Removes signing secrets, headers and passwords of endpoints that are deleted, and for which nothing waits, from the database. A request
 * that is still under way has them in memory; what comes late is cancelled, for which they are not needed. It pauses between statements:
 * there is no hurry.
 * @param signal ends it after the statement that is under way
 * @returns how many endpoints had any; fewer than there are when another process is at it.
 */
export async function forgetSecretsOfDeleted(pool: pg.Pool, signal?: AbortSignal, page = PAGE): Promise<number> {
  let forgotten = 0;
  for (let after: number | null = 0; after !== null && signal?.aborted !== true; ) {
    const startedAt = performance.now();
    const { rows }: pg.QueryResult<{ last: number | null; endpoints: number }> = await pool.query(FORGET, [
      after,
      page,
    ]);
    forgotten += rows[0]!.endpoints;
    // Also where another process has the lock.
    after = rows[0]!.last;
    if (after !== null) await sleep((performance.now() - startedAt) * PAUSES, undefined, { signal }).catch(() => {});
  }
  return forgotten;
}
