import type pg from 'pg';
import { SURVIVED_ANYWAY_MS, SURVIVED_MS } from '../domain/suspicion.ts';
import { plainArray } from './plain-array.ts';

/** The right to settle deliveries of a lane. It is void once the lane's epoch has risen. */
export interface LaneLease {
  readonly lane: number;
  readonly epoch: number;
}

/** A lane that was just acquired. */
export interface AcquiredLane extends LaneLease {
  /** Owners in a row that ended without giving it back. */
  readonly crashes: number;
}

/** A lane to give back. */
export interface GivenLane extends LaneLease {
  /** Whether its work was done. Then its owner has survived it, and earlier crashes do not count any more. */
  readonly isDone?: boolean;
  /** In how many ms somebody is to look at its parked rows although nobody rings; without it, at once. */
  readonly wakeInMs?: number;
}

/** Longest time that a dead owner keeps its lanes, in ms. */
export const LEASE_MS = 8_000;

/**
 * Writes the number of lanes at first start and holds every later start to it.
 * @throws Error when the database has another number: two numbers at once would give an endpoint two owners.
 */
export async function prepareLanes(pool: pg.Pool, lanes: number): Promise<void> {
  await pool.query(`INSERT INTO settings (name, value) VALUES ('lanes', $1) ON CONFLICT (name) DO NOTHING`, [
    String(lanes),
  ]);
  const { rows } = await pool.query<{ value: string }>(`SELECT value FROM settings WHERE name = 'lanes'`);
  const stored = Number(rows[0]?.value);
  if (stored !== lanes) {
    throw new Error(`LANES is ${lanes}, but this database was set up with ${stored}. Start with LANES=${stored}.`);
  }
  await pool.query('INSERT INTO lanes (lane) SELECT generate_series(0, $1 - 1) ON CONFLICT (lane) DO NOTHING', [lanes]);
}

/**
 * Takes those of the lanes that nobody else owns. If the caller owns one already, because the answer to an earlier statement was lost, it
 * takes that one too. The epoch of each rises, so that what a former owner settles changes nothing. A former owner that did not give the
 * lane back counts as a crash.
 */
export async function acquireLanes(pool: pg.Pool, owner: string, lanes: readonly number[]): Promise<AcquiredLane[]> {
  const { rows } = await pool.query<{ lane: number; epoch: string; crashes: number }>({
    name: 'acquire-lanes',
    text: `UPDATE lanes SET epoch = epoch + 1, owner = $1, leased_until = now() + $3 * interval '1 ms', acquired_at = now(), wake_at = 'infinity',
                  crashes = CASE WHEN owner <> $1 THEN least(crashes + 1, 1000) ELSE crashes END
            WHERE lane IN (SELECT lane FROM lanes WHERE lane = ANY($2::smallint[]) AND (leased_until < now() OR owner = $1)
                           ORDER BY lane FOR UPDATE SKIP LOCKED)
           RETURNING lane, epoch, crashes`,
    values: [owner, plainArray(lanes), LEASE_MS],
  });
  return rows.map((row) => ({ lane: row.lane, epoch: Number(row.epoch), crashes: row.crashes }));
}

export interface Heartbeat {
  /** Lanes that are still ours. */
  readonly held: ReadonlySet<number>;
  /** Those of them whose crashes still count. They cease to count when an owner has had the lane for long enough to have survived it. */
  readonly crashed: ReadonlySet<number>;
  /** Workers that were seen lately, this one included. */
  readonly workers: number;
}

// An owner has survived only if what may have killed the former ones was tried: in a careful lane it may still be waiting.
const HAS_SURVIVED = `
  crashes > 0 AND acquired_at < now() - ${SURVIVED_MS} * interval '1 ms' AND (
    acquired_at < now() - ${SURVIVED_ANYWAY_MS} * interval '1 ms' OR NOT (
      EXISTS (SELECT 1 FROM lane_suspects s WHERE s.lane = lanes.lane AND s.strikes > 0) OR
      EXISTS (SELECT 1 FROM mailbox m WHERE m.lane = lanes.lane AND NOT m.parked AND m.due_at <= lanes.acquired_at)))`;

/** Renews the leases of an owner and its place among the workers, in one statement. */
export async function heartbeat(pool: pg.Pool, owner: string, leases: readonly LaneLease[]): Promise<Heartbeat> {
  const { rows } = await pool.query<{ held: number[] | null; crashed: number[] | null; workers: string }>({
    name: 'heartbeat',
    text: `WITH alive AS (
             INSERT INTO workers (id, seen_at) VALUES ($1, now()) ON CONFLICT (id) DO UPDATE SET seen_at = now()
           ), mine AS (
             SELECT l.lane FROM lanes l JOIN unnest($2::smallint[], $3::bigint[]) AS h(lane, epoch) USING (lane, epoch)
              WHERE l.owner = $1 ORDER BY l.lane FOR UPDATE OF l
           ), renewed AS (
             UPDATE lanes SET leased_until = now() + $4 * interval '1 ms',
                    crashes = CASE WHEN ${HAS_SURVIVED} THEN 0 ELSE crashes END
              WHERE lane IN (SELECT lane FROM mine) RETURNING lane, crashes
           )
           SELECT (SELECT array_agg(lane) FROM renewed) AS held, (SELECT array_agg(lane) FROM renewed WHERE crashes > 0) AS crashed,
                  (SELECT count(*) FROM workers WHERE id <> $1 AND seen_at > now() - $4 * interval '1 ms') + 1 AS workers`,
    values: [owner, plainArray(leases.map((l) => l.lane)), plainArray(leases.map((l) => l.epoch)), LEASE_MS],
  });
  const { held, crashed, workers } = rows[0]!;
  return { held: new Set(held), crashed: new Set(crashed), workers: Number(workers) };
}

/** A sleeping lane is looked at after this time whatever its last owner said, in ms: owners of older versions said nothing. */
export const LONGEST_SLEEP_MS = 300_000;

/**
 * Gives lanes back at once, and ends the trials of their suspects. Void leases are ignored. If somebody asked for a lane to be looked at
 * while it was owned (`wakeLaneOf`), that stands: the owner may not have seen the reason yet.
 */
export async function releaseLanes(pool: pg.Pool, owner: string, lanes: readonly GivenLane[]): Promise<void> {
  await pool.query({
    name: 'release-lanes',
    text: `WITH mine AS MATERIALIZED (
             SELECT l.lane, h.is_done, h.wake_ms FROM lanes l JOIN unnest($2::smallint[], $3::bigint[], $4::boolean[], $5::float8[]) AS h(lane, epoch, is_done, wake_ms) USING (lane, epoch)
              WHERE l.owner = $1 ORDER BY l.lane FOR UPDATE OF l
           ), ended AS (
             UPDATE lane_suspects SET on_trial = false WHERE lane IN (SELECT lane FROM mine) AND on_trial
           )
           UPDATE lanes l SET owner = NULL, leased_until = '-infinity', crashes = CASE WHEN m.is_done THEN 0 ELSE l.crashes END,
                  wake_at = least(l.wake_at, date_trunc('milliseconds', now()) + m.wake_ms * interval '1 ms')
             FROM mine m WHERE l.lane = m.lane`,
    values: [
      owner,
      plainArray(lanes.map((l) => l.lane)),
      plainArray(lanes.map((l) => l.epoch)),
      `{${lanes.map((l) => l.isDone === true).join(',')}}`,
      plainArray(lanes.map((l) => Math.min(l.wakeInMs ?? 0, LONGEST_SLEEP_MS))),
    ],
  });
}

/** Takes a worker off the list, so that the others share its lanes at once, and not only when they miss it. */
export async function forgetWorker(pool: pg.Pool, owner: string): Promise<void> {
  await pool.query(`DELETE FROM workers WHERE id = $1 OR seen_at < now() - interval '1 hour'`, [owner]);
}

/** A lane that nobody owns, and the epoch that it was last owned in. */
export interface SleepingLane {
  readonly lane: number;
  readonly epoch: number;
}

/**
 * Lanes that have due work and no owner: after a crash, a lost ring or a wiped Redis. A lane whose owner did not give it back is among them
 * in any case: the owner may have left things undone that only an owner looks for. Parked rows are not looked at, however many endpoints
 * are closed: the last owner has said when the first of these opens (`wakeInMs`).
 */
export async function findSleepingLanes(pool: pg.Pool): Promise<SleepingLane[]> {
  const { rows } = await pool.query<{ lane: number; epoch: string }>({
    name: 'sleeping-lanes',
    // Not EXISTS: Postgres might plan that as one scan over all due rows of all lanes.
    text: `SELECT lane, epoch FROM lanes l
            WHERE leased_until < now()
              AND (owner IS NOT NULL OR wake_at <= now() OR
                   (SELECT true FROM mailbox m WHERE m.lane = l.lane AND NOT m.parked AND m.due_at <= now() ORDER BY m.due_at LIMIT 1))`,
  });
  return rows.map((row) => ({ lane: row.lane, epoch: Number(row.epoch) }));
}
