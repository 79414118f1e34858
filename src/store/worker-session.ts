import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { hearLaneCalls } from './lane-calls.ts';
import { PRESENCE_CLASS, PRESENCE_LOCKS } from './presence-locks.ts';

/** A connection to Postgres that is one session, or is meant to be. */
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
  /** Some process has new rows for these lanes, whoever has them. */
  readonly onCall?: (lanes: readonly number[]) => void;
  /** Opens the connection; tests put a pooler in its place. */
  readonly connect?: (pool: pg.Pool) => Promise<Connection>;
  /** Between two looks at whether the session is there, in ms. */
  readonly pingMs?: number;
}

const PING_MS = 1_000;
const RETRY_MS = 200;
const TIMEOUT_MS = 2_000;
/** What a farewell to Postgres may take. */
const CLOSE_MS = 300;

const POOLED =
  'between this worker and Postgres is a proxy that pools transactions: killed, its lanes are taken over when their leases end';

/**
 * A session of Postgres that a worker keeps for as long as it lives, with a lock that the others can see. The kernel closes it when the
 * process dies, so that its lanes need not wait for their leases. Where statements of one connection come to several sessions (a proxy
 * that pools transactions) the lock says nothing: then the worker's row tells the others not to go by it.
 */
export class WorkerSession {
  /** The second number of the lock. Chance keeps two workers from having the same; if it fails to, both die by their leases. */
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

  /** Keeps a session until it is told to stop, or finds that there is none to be had. */
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
    // One signal for all pauses: each wait for a promise that is open as long as the session would stay in memory as long as that.
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
    // A session that this process has given up, and Postgres has not yet. The others see its lock for as long.
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
