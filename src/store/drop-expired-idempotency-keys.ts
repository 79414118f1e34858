import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';

/** Pages of the table that one statement looks at: at the most some 10,000 keys. */
const PAGES = 100;
/** How many pages are sampled to find out whether a pass is worth while. A table that is not larger is looked at as a whole. */
const SAMPLED_PAGES = 256;
/** A pass is made when at least one key in so many has expired. */
const ONE_IN = 25;
/** For each ms of a statement, so many ms of pause: a pass over a table of gigabytes is to leave Postgres to others. */
const PAUSES = 3;

/** Held by the statement under way, so that two processes do not make a pass at once. Any fixed number will do; 7406 is ours. */
const LOCK = 7406;

const SAMPLE = `
  SELECT count(*) FILTER (WHERE event_id < $1::uuid)::int AS expired, count(*)::int AS looked
    FROM idempotency_keys TABLESAMPLE SYSTEM ($2)`;

// Keys are stored wherever there was room, expired ones among others, so that no index leads to them. The index of events by page ranges
// would lead to whole ranges for one key, and is not told of keys that are gone: `looked` has no condition on events, so that it is not
// used. The last condition is for a key that was claimed anew meanwhile.
const DROP = `
  WITH alone AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(${LOCK}) AS taken),
  looked AS MATERIALIZED (
    SELECT ctid, event_id FROM idempotency_keys WHERE (SELECT taken FROM alone) AND ctid >= $1::tid AND ctid < $2::tid
  ),
  dropped AS (
    DELETE FROM idempotency_keys
     WHERE ctid = ANY(ARRAY(SELECT ctid FROM looked WHERE event_id < $3::uuid)) AND event_id < $3::uuid
    RETURNING 1
  )
  SELECT (SELECT taken FROM alone) AS "isAlone", (SELECT count(*)::int FROM dropped) AS count`;

/**
 * Forgets idempotency keys that were claimed by events older than this UUID, if enough of them are to be expected. It makes one pass over
 * the table, in bounded statements and with pauses. A key that is left over does no harm.
 * @param signal ends it after the statement that is under way
 * @returns how many were forgotten; fewer than there are when another process makes a pass.
 */
export async function dropExpiredIdempotencyKeys(
  pool: pg.Pool,
  beforeUuid: string,
  signal?: AbortSignal,
): Promise<number> {
  const pages = await countPages(pool);
  let total = 0;
  if (!(await isWorthWhile(pool, beforeUuid, pages))) return total;
  for (const page of rangesOf(pages)) {
    if (signal?.aborted === true) break;
    const startedAt = performance.now();
    const { isAlone, count } = await dropFrom(pool, page, beforeUuid);
    if (!isAlone) break;
    total += count;
    await sleep((performance.now() - startedAt) * PAUSES, undefined, { signal }).catch(() => {});
  }
  return total;
}

async function countPages(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ pages: number }>(
    `SELECT (pg_relation_size('idempotency_keys') / current_setting('block_size')::int)::int AS pages`,
  );
  return rows[0]?.pages ?? 0;
}

/**
 * Whether enough keys have expired for a pass. Every process asks every hour, and at its start: if another one has just forgotten them,
 * there is no need.
 */
async function isWorthWhile(pool: pg.Pool, beforeUuid: string, pages: number): Promise<boolean> {
  const percent = Math.min(100, (100 * SAMPLED_PAGES) / Math.max(1, pages));
  const { rows } = await pool.query<{ expired: number; looked: number }>(SAMPLE, [beforeUuid, percent]);
  const { expired, looked } = rows[0] ?? { expired: 0, looked: 0 };
  return expired > 0 && expired * ONE_IN >= looked;
}

/** The first pages of all ranges, beginning with a random one: passes that are always cut short do not always look at the same ranges. */
function rangesOf(pages: number): number[] {
  const first = Array.from({ length: Math.ceil(pages / PAGES) }, (_, range) => range * PAGES);
  const from = Math.floor(Math.random() * first.length);
  return [...first.slice(from), ...first.slice(0, from)];
}

async function dropFrom(pool: pg.Pool, page: number, beforeUuid: string): Promise<{ isAlone: boolean; count: number }> {
  const { rows } = await pool.query<{ isAlone: boolean; count: number }>({
    name: 'drop-expired-keys-of-pages',
    text: DROP,
    values: [`(${page},0)`, `(${page + PAGES},0)`, beforeUuid],
  });
  return rows[0] ?? { isAlone: false, count: 0 };
}
