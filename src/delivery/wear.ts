/** Since when an endpoint has had nothing but failures. Times are ms on Postgres's clock. */
export interface Wear {
  /** The first failure, moved on by what was left out of the pauses since. */
  readonly failingSinceMs: number;
  readonly lastFailedMs: number;
}

/** What is kept of it, null where nothing is held against the endpoint. What earlier versions kept has no last failure. */
export interface SavedWear {
  readonly failingSinceMs: number | null;
  readonly lastFailedMs?: number | null;
}

const HOUR_MS = 3_600_000;
const WORN_OUT_MS = 5 * 24 * HOUR_MS;
/**
 * What counts at the most between two failures. The default schedule waits no longer than 28.8 hours (24, and a fifth of jitter): what lies
 * further apart was not being tried, because nothing was to be sent or no worker ran.
 */
const LONGEST_GAP_MS = 30 * HOUR_MS;

/** Where no last failure was kept, all of the time since the first may have been a pause. */
export function restoreWear(saved: SavedWear | null): Wear | null {
  const failingSinceMs = saved?.failingSinceMs ?? null;
  return failingSinceMs === null ? null : { failingSinceMs, lastFailedMs: saved?.lastFailedMs ?? failingSinceMs };
}

export function wearAfterFailure(wear: Wear | null, nowMs: number): Wear {
  if (wear === null) return { failingSinceMs: nowMs, lastFailedMs: nowMs };
  const leftOutMs = Math.max(0, nowMs - wear.lastFailedMs - LONGEST_GAP_MS);
  // Not after now: a clock that leapt ahead and is right again would put it off by the whole leap.
  return { failingSinceMs: Math.min(wear.failingSinceMs + leftOutMs, nowMs), lastFailedMs: nowMs };
}

/** Five days of nothing but failures, of those in which it was tried. */
export function isWornOut({ failingSinceMs, lastFailedMs }: Wear): boolean {
  return lastFailedMs - failingSinceMs >= WORN_OUT_MS;
}
