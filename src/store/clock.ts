import type pg from 'pg';

/**
 * Postgres's clock, as well as this process can know it: ids, partitions and signature timestamps follow it, so that a host whose
 * clock is wrong neither storms nor stalls.
 */
export class Clock {
  #offsetMs = 0;

  /** Milliseconds since 1970. */
  nowMs(): number {
    return Math.round(Date.now() + this.#offsetMs);
  }

  /** Measures the offset: half the round trip is what it may be wrong by. */
  async calibrate(pool: pg.Pool): Promise<void> {
    const before = Date.now();
    const { rows } = await pool.query<{ ms: number }>('SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms');
    const after = Date.now();
    // A host clock that stepped during the measurement would spoil it; the next one will do.
    if (after < before || after - before > 2_000) return;
    this.#offsetMs = rows[0]!.ms - (before + after) / 2;
  }
}
