import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { hearLaneCalls } from './lane-calls.ts';
import { PRESENCE_CLASS, PRESENCE_LOCKS } from './presence-locks.ts';

/** A connection to Postgres that should be one session, but behind a pooler may not be. */
export interface Connection {
  query<R extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<pg.QueryResult<R>>;
  /** Calls back once when the connection is lost. */
  onLost(lost: () => void): void;
  /** @param channel in small letters, digits and _ */
  listen(channel: string, heard: (payload: string) => void): Promise<void>;
  close(): Promise<void>;
}

export interface WorkerSessionOptions {
  readonly pool: pg.Pool;
  readonly workerId: string;
  readonly onFailure: (error: unknown) => void;
  /** Some process has committed new rows for these lanes, whoever owns them. */
  readonly onCall?: (lanes: readonly number[]) => void;
  /** Opens the connection; tests put a pooler in its place. */
  readonly connect?: (pool: pg.Pool) => Promise<Connection>;
  /** Time between two checks whether the session is there, in ms. */
  readonly pingMs?: number;
}

const PING_MS = 1_000;
const RETRY_MS = 200;
const TIMEOUT_MS = 2_000;
/** How long closing the connection may take, in ms. */
const CLOSE_MS = 300;

const POOLED =
  'between this worker and Postgres is a proxy that pools transactions: killed, its lanes are taken over when their leases end';

/**
 * A session of Postgres that a worker keeps for as long as it lives, with a lock that other workers can see. When the process dies, the kernel
 * closes the connection, and the others need not wait for its leases to end. If the statements of one connection reach several sessions (a
 * proxy that pools transactions), the lock says nothing: then the worker's row tells the others to ignore it.
 */
export class WorkerSession {
  /** The second number of the lock. By chance no two workers have the same. If two do, each is found dead only when its leases end. */
  readonly lockKey = randomInt(1, 2 ** 31 - 1);
  readonly #options: WorkerSessionOptions;
  readonly #connect: (pool: pg.Pool) => Promise<Connection>;
  readonly #stopping = new AbortController();
  #connection: Connection | null = null;
  #heldSince: number | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(options: WorkerSessionOptions) {
    this.#options = options;
    this.#connect = options.connect ?? connectSession;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** For how long this worker has held its lock without a break, in ms; 0 when it does not, or when the lock says nothing. */
  get heldMs(): number {
    return this.#heldSince === null ? 0 : performance.now() - this.#heldSince;
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    await Promise.race([this.#running, sleep(TIMEOUT_MS, undefined, { ref: false })]);
  }

  /** Keeps a session until `close` is called, or it turns out that connections here are not sessions. */
  async #run(): Promise<void> {
    let isUseful = true;
    while (isUseful && !this.#stopping.signal.aborted) {
      try {
        isUseful = await this.#keepOne();
      } catch (error) {
        if (!this.#stopping.signal.aborted) this.#options.onFailure(error);
      } finally {
        this.#heldSince = null;
        await this.#hangUp();
      }
      await sleep(RETRY_MS, undefined, { signal: this.#stopping.signal }).catch(() => {});
    }
  }

  /** @returns false when this connection is not one session, so that another would be none either. */
  async #keepOne(): Promise<boolean> {
    const { pool, pingMs = PING_MS } = this.#options;
    this.#connection = await this.#connect(pool);
    const lost = new AbortController();
    this.#connection.onLost(() => lost.abort(new Error('the session of this worker was lost')));
    // One signal for all pauses. Waiting for a promise that stays open as long as the session would keep each wait in memory as long.
    const signal = AbortSignal.any([this.#stopping.signal, lost.signal]);
    const pid = await this.#takeLock(this.#connection);
    if (pid === null || !(await this.#isVisible(this.#connection, pid))) return this.#distrust();
    await hearLaneCalls(this.#connection, this.#options.onCall ?? (() => {}));
    await this.#announce(this.lockKey);
    this.#heldSince = performance.now();
    while (!this.#stopping.signal.aborted) {
      await sleep(pingMs, undefined, { signal, ref: false }).catch(() => {});
      lost.signal.throwIfAborted();
      if ((await pidOf(this.#connection)) !== pid) return this.#distrust();
    }
    return true;
  }

  /** @returns the process of the session; null when the lock went to another. */
  async #takeLock(connection: Connection): Promise<number | null> {
    const before = await pidOf(connection);
    const { rows } = await connection.query<{ pid: number; taken: boolean }>(
      'SELECT pg_backend_pid() AS pid, pg_try_advisory_lock($1, $2) AS taken',
      [PRESENCE_CLASS, this.lockKey],
    );
    const { pid, taken } = rows[0]!;
    if (pid !== before) return null;
    // Postgres still has a session that this process has given up. Until it ends, the others see that one's lock.
    if (!taken) throw new Error('the former session of this worker still holds its lock');
    return pid;
  }

  /**
   * Whether others see the lock under this session, and the session stays with this connection while another transaction is open: a pooler
   * would have given the session to that one.
   */
  async #isVisible(connection: Connection, pid: number): Promise<boolean> {
    const other = await this.#options.pool.connect();
    let isBroken = true;
    try {
      await other.query('BEGIN');
      const { rows } = await other.query<{ visible: boolean }>(
        `SELECT pg_backend_pid() <> $1 AND EXISTS (SELECT FROM ${PRESENCE_LOCKS} k WHERE k.pid = $1 AND k.key = $2) AS visible`,
        [pid, this.lockKey],
      );
      const isSame = (await pidOf(connection)) === pid;
      await other.query('COMMIT');
      isBroken = false;
      return isSame && rows[0]!.visible;
    } finally {
      other.release(isBroken);
    }
  }

  async #distrust(): Promise<false> {
    this.#heldSince = null;
    await this.#announce(null);
    this.#options.onFailure(new Error(POOLED));
    return false;
  }

  async #announce(lockKey: number | null): Promise<void> {
    await this.#options.pool.query(
      `INSERT INTO workers (id, seen_at, lock_key, server_started_at) VALUES ($1, now(), $2, pg_postmaster_start_time())
       ON CONFLICT (id) DO UPDATE SET seen_at = now(), lock_key = excluded.lock_key, server_started_at = excluded.server_started_at`,
      [this.#options.workerId, lockKey],
    );
  }

  async #hangUp(): Promise<void> {
    const closing = this.#connection?.close().catch(() => {});
    this.#connection = null;
    await Promise.race([closing, sleep(CLOSE_MS, undefined, { ref: false })]);
  }
}

async function pidOf(connection: Connection): Promise<number> {
  const { rows } = await connection.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return rows[0]!.pid;
}

/** A connection of its own with the settings of the pool. */
async function connectSession(pool: pg.Pool): Promise<Connection> {
  const client = new pg.Client({
    ...pool.options,
    application_name: 'posthorn-presence',
    connectionTimeoutMillis: TIMEOUT_MS,
    statement_timeout: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
  });
  // A connection that breaks rejects the query under way as well, and ends.
  client.on('error', () => {});
  await client.connect();
  return {
    query: (text, values) => client.query(text, values),
    onLost: (lost) => void client.once('end', lost),
    listen: async (channel, heard) => {
      client.on('notification', ({ channel: from, payload }) => from === channel && heard(payload ?? ''));
      await client.query(`LISTEN ${channel}`);
    },
    close: () => client.end(),
  };
}
