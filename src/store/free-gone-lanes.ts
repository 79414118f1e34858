import type pg from 'pg';
import { LEASE_MS } from './lanes.ts';
import { PRESENCE_LOCKS } from './presence-locks.ts';

/** How long a worker must not have been seen, beside its session being gone, in ms. */
const UNSEEN_MS = 2_000;

// A worker is gone when it was not seen lately and nobody holds its lock, although it had told that it holds one, in the same run of
// Postgres: after a restart nobody's lock is there, and everyone comes back. Whoever judges must hold its own lock: otherwise Postgres may
// have dropped every session just now. Rows that somebody else has in hand are passed over, and looked at again in a second.
// The leases tell when they were ended: since then what is due has waited for an owner. They are ended as of a second ago: a clock that
// goes back a little between two statements must not keep the lanes from whoever takes them.
const FREE = `
  WITH gone AS MATERIALIZED (
    SELECT w.id FROM workers w
     WHERE w.id <> $1 AND w.seen_at < now() - $3 * interval '1 ms'
       AND w.lock_key IS NOT NULL AND w.server_started_at = pg_postmaster_start_time()
       AND (w.seen_at > now() - $4 * interval '1 ms' OR EXISTS (SELECT FROM lanes l WHERE l.owner = w.id AND l.leased_until > now()))
       AND NOT EXISTS (SELECT FROM ${PRESENCE_LOCKS} k WHERE k.key = w.lock_key)
       AND EXISTS (SELECT FROM ${PRESENCE_LOCKS} k WHERE k.key = $2)
       FOR UPDATE OF w SKIP LOCKED
  ), missed AS (
    UPDATE workers SET seen_at = least(seen_at, now() - $4 * interval '1 ms') WHERE id IN (SELECT id FROM gone)
  ), freed AS (
    UPDATE lanes SET leased_until = now() - interval '1 s'
     WHERE lane IN (SELECT lane FROM lanes WHERE owner IN (SELECT id FROM gone) AND leased_until > now() ORDER BY lane FOR UPDATE SKIP LOCKED)
    RETURNING lane
  )
  SELECT (SELECT count(*) FROM gone)::int AS workers, (SELECT count(*) FROM freed)::int AS lanes`;

export interface Freed {
  /** Workers found gone. */
  readonly workers: number;
  /** Lanes that they held, free now. */
  readonly lanes: number;
}

/**
 * Ends the leases of workers whose process died, and no longer counts them among the workers. Only for a worker that has held its own
 * presence lock for a while: see `WorkerSession`.
 * @param lockKey of the caller's session
 */
export async function freeLanesOfGone(pool: pg.Pool, owner: string, lockKey: number): Promise<Freed> {
  const { rows } = await pool.query<Freed>({
    name: 'free-lanes-of-gone',
    text: FREE,
    values: [owner, lockKey, UNSEEN_MS, LEASE_MS],
  });
  return rows[0]!;
}
