import pg from 'pg';
import { addressOf } from '../config/postgres-url.ts';

export interface PoolOptions {
  readonly databaseUrl: string;
  readonly name: string;
  readonly size: number;
  /** Longest wait for a free connection or a new one, in ms. */
  readonly connectMs: number;
  /** Longest statement, in ms: Postgres cancels it. A little later the client gives up too, for a server that hangs. */
  readonly statementMs: number;
  /** Whether statements are sent on a connection without waiting for the results of those before. Default: no. */
  readonly pipeline?: boolean;
  /** How many connections stay open although they are idle. Default: none. */
  readonly kept?: number;
  /**
   * Whether its statements look rows up by the hundred. Then `enable_seqscan` is off, so that Postgres scans a whole table only if there is no
   * other way: the plan of a named statement may be from a time when the table was small. Default: no.
   */
  readonly probes?: boolean;
  readonly onError: (error: Error) => void;
}

const SESSION = '-c synchronous_commit=on -c jit=off';

/** A pool in which every wait is bounded. It commits synchronously whatever the server's default or the URL says (G1). */
export function createPool(options: PoolOptions): pg.Pool {
  const settings = options.probes ? `${SESSION} -c enable_seqscan=off` : SESSION;
  const pool = new pg.Pool({
    ...addressOf(options.databaseUrl, settings),
    application_name: `posthorn-${options.name}`,
    max: options.size,
    min: options.kept ?? 0,
    connectionTimeoutMillis: options.connectMs,
    idleTimeoutMillis: 30_000,
    statement_timeout: options.statementMs,
    query_timeout: options.statementMs + 500,
    lock_timeout: options.statementMs,
    idle_in_transaction_session_timeout: 10_000,
    keepAlive: true,
    pipeline: options.pipeline ?? false,
  });
  // An idle connection that breaks is replaced at its next use; without a handler the event would end the process.
  pool.on('error', options.onError);
  // A connection that breaks while it is in use rejects the query as well, so the event says nothing new.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

/** Limits, from now on, how long one waits for a connection of the pool, in ms. */
export function limitConnecting(pool: pg.Pool, connectMs: number): void {
  // Read at each wait.
  pool.options.connectionTimeoutMillis = connectMs;
}

/**
 * Opens another connection in the background, if fewer are open than are `kept`, for whoever needs it next. Opening one takes four round
 * trips: if Postgres is far away, most of what a producer waits for. Call it when all open connections are in use.
 */
export function openAhead(pool: pg.Pool): void {
  if (pool.totalCount >= (pool.options.min ?? 0)) return;
  // If it cannot be opened, whoever needs one next gets the error.
  pool.connect().then(
    (client) => client.release(),
    () => {},
  );
}
