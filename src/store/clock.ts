import type pg from 'pg';

/**
 * Postgres's clock, as well as this process can know it: ids, partitions and signature timestamps follow it. Between two measurements
 * it runs on the process's steady clock, so that a host whose clock is wrong, or jumps, neither storms nor stalls.
 */
export class Clock {
  #offsetMs = Date.now() - performance.now();
  #isMeasured = false;

  /** Milliseconds since 1970. */
  nowMs(): number {
    return Math.round(performance.now() + this.#offsetMs);
  }

  /** By how much Postgres's clock is ahead of the host's, in ms; negative where it is behind. */
  get aheadOfHostMs(): number {
    return this.nowMs() - Date.now();
  }

  /** Measures the offset. The error is at most half the round trip. */
  async calibrate(pool: pg.Pool): Promise<void> {
    const before = performance.now();
    const { rows } = await pool.query<{ ms: number }>(
      'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms',
    );
    const after = performance.now();
    // An answer that took long says little: the next one will do. Before the first answer it is still better than the host's clock, which
    // may show any time.
    if (after - before > MAX_ROUND_TRIP_MS && this.#isMeasured) return;
    this.#isMeasured = true;
    this.#offsetMs = rows[0]!.ms - (before + after) / 2;
  }
}

const MAX_ROUND_TRIP_MS = 2_000;
