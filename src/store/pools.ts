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
  /** Whether statements go out on a connection behind those that are under way, rather than wait for their results. Default: no. */
  readonly pipeline?: boolean;
  /** Connections that stay open though they are idle. Default: none. */
  readonly kept?: number;
  /**
   * Whether its statements look rows up by the hundred: Postgres goes through a whole table only where it knows no other way (`enable_seqscan`), because the plan of a
   * named statement is kept from a time when the table may have been small. Default: no.
   */
  readonly probes?: boolean;
  readonly onError: (error: Error) => void;
}

const SESSION = '-c synchronous_commit=on -c jit=off';

/** A pool whose every wait is bounded, and that commits synchronously whatever the server's default or the URL says (G1). */
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
  // A connection that breaks in somebody's hands rejects the query as well; the event says nothing more.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

/** From now on nobody waits longer for a connection of the pool than told, in ms. */
export function limitConnecting(pool: pg.Pool, connectMs: number): void {
  // Read at each wait.
  pool.options.connectionTimeoutMillis = connectMs;
}

/**
 * Opens another connection in the background where fewer are open than are `kept`, for whoever needs it next: to open one takes four round trips, which is most of
 * what a producer waits for where Postgres is far away. To be called when those that are open are taken.
 */
export function openAhead(pool: pg.Pool): void {
  if (pool.totalCount >= (pool.options.min ?? 0)) return;
  // Whoever needs it hears of it when it cannot be opened.
  pool.connect().then(
    (client) => client.release(),
    () => {},
  );
}
