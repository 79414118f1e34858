import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { Connection } from './worker-session.ts';

/** Least time from one call to the next, in ms. What is to be called meanwhile goes with the next one. */
const INTERVAL_MS = 5;
const PAUSE_AFTER_FAILURE_MS = 1_000;
/** Of `posthorn_` and the MD5 of the schema: one channel for each installation of a database. */
const CHANNEL = 'posthorn_';

/** A call as a statement. */
export interface CallQuery {
  readonly name: string;
  readonly text: string;
  readonly values: string[];
}

/** A call that goes out behind a commit. */
export interface CallBehind {
  readonly query: CallQuery;
  readonly failed: (error: unknown) => void;
  /** The caller must call this once: when it was answered, and also if it was not sent. */
  readonly settled: () => void;
}

/**
 * Tells all workers by NOTIFY that lanes have new rows. A worker that has such a lane awake reads it at once, not only when it polls next.
 * Each call is a transaction of its own: within those of the events it would make their commits wait for each other. Losing a call costs
 * these milliseconds and nothing else. Lanes that nobody owns are the doorbell's business.
 */
export class LaneCalls {
  readonly #pool: pg.Pool;
  readonly #onFailure: (error: unknown) => void;
  #pending = new Set<number>();
  #isCalling = false;
  #isBehind = false;
  #isClosed = false;

  constructor(pool: pg.Pool, onFailure: (error: unknown) => void) {
    this.#pool = pool;
    this.#onFailure = onFailure;
  }

  /** Returns at once and never throws. */
  call(lanes: Iterable<number>): void {
    for (const lane of lanes) this.#pending.add(lane);
    if (!this.#isCalling && !this.#isClosed && this.#pending.size > 0) void this.#run();
  }

  /**
   * The call for a commit that is about to be sent. It goes out right behind the commit on its connection, so that it is heard as soon as the
   * rows are visible, without a round trip in between. Null if the last call is under way, or too recent: then call these lanes after the
   * commit. So calls that hang take up one connection of the commits, not all.
   */
  callBehind(lanes: Iterable<number>): CallBehind | null {
    if (this.#isCalling || this.#isBehind || this.#isClosed) return null;
    this.#isBehind = true;
    void this.#run(INTERVAL_MS);
    const settled = () => {
      this.#isBehind = false;
    };
    return { query: callQuery([...lanes]), failed: this.#onFailure, settled };
  }

  close(): void {
    this.#isClosed = true;
  }

  async #run(waitMs = 0): Promise<void> {
    this.#isCalling = true;
    let pauseMs = waitMs;
    do {
      if (pauseMs > 0) await sleep(pauseMs, undefined, { ref: false });
      pauseMs = await this.#callPending();
    } while (pauseMs > 0);
    this.#isCalling = false;
  }

  /** @returns how long to wait before the next call; 0 if nothing was to be called. */
  async #callPending(): Promise<number> {
    if (this.#pending.size === 0 || this.#isClosed) return 0;
    const lanes = [...this.#pending];
    this.#pending = new Set();
    try {
      await this.#pool.query(callQuery(lanes));
      return INTERVAL_MS;
    } catch (error) {
      this.#onFailure(error);
      return PAUSE_AFTER_FAILURE_MS;
    }
  }
}

function callQuery(lanes: readonly number[]): CallQuery {
  const text = `SELECT pg_notify('${CHANNEL}' || md5(current_schema()), $1)`;
  return { name: 'call-lanes', text, values: [lanes.join(' ')] };
}

/** Listens to the calls of this installation, for as long as the connection lasts. @throws if it cannot LISTEN */
export async function hearLaneCalls(connection: Connection, heard: (lanes: readonly number[]) => void): Promise<void> {
  const { rows } = await connection.query<{ schema: string }>('SELECT current_schema() AS schema');
  const channel = `${CHANNEL}${createHash('md5').update(rows[0]!.schema).digest('hex')}`;
  await connection.listen(channel, (payload) => heard(payload.split(' ').map(Number)));
}
