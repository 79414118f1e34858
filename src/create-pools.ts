import type pg from 'pg';
import type { Config } from './config/config.ts';
import { CONCURRENT_GROUPS } from './ingest/group-commit.ts';
import type { Observer } from './observability/observer.ts';
import { createPool, limitConnecting, type PoolOptions } from './store/pools.ts';

/**
 * Longest wait for a connection before the process serves anybody, in ms. It is long, so that a start does not fail on a machine that is
 * busy with other starts.
 */
const START_CONNECT_MS = 10_000;
/** Tenants that have much routing and are read at once. Each is read in pieces, between which others have their turn. */
const ROUTING_CONNECTIONS = 2;
/** For short statements that find out who calls and what they may send: the API's other reads take none of these. */
const ACCESS_CONNECTIONS = 3;

/** The pools of a process. Each is for work of one kind, which so takes no connection from work of the others. */
export interface Pools {
  readonly apiPool: pg.Pool;
  readonly commitPool: pg.Pool;
  readonly routingPool: pg.Pool;
  readonly accessPool: pg.Pool;
  readonly holdPool: pg.Pool;
  readonly workerPool: pg.Pool;
  /** From now on nobody waits longer than this for a connection, in ms. */
  limitConnecting(connectMs: number): void;
  close(): Promise<void>;
}

/** Opens no connection before it is used. */
export function createPools(config: Config, databaseUrl: string, observe: Observer): Pools {
  const all: pg.Pool[] = [];
  const pool = (
    name: string,
    size: number,
    statementMs: number,
    more: Pick<PoolOptions, 'pipeline' | 'kept' | 'probes'> = {},
  ) => {
    const onError = (error: Error) => observe.workFailed(`pool ${name}`, error);
    const created = createPool({ databaseUrl, name, size, connectMs: START_CONNECT_MS, statementMs, ...more, onError });
    all.push(created);
    observe.watchPool(name, created);
    return created;
  };
  return {
    apiPool: pool('api', config.DATABASE_API_CONNECTIONS, 5_000),
    commitPool: pool('ingest', 4, 5_000, { pipeline: true, kept: CONCURRENT_GROUPS, probes: true }),
    routingPool: pool('routing', ROUTING_CONNECTIONS, 5_000, { kept: 1 }),
    accessPool: pool('access', ACCESS_CONNECTIONS, 5_000, { kept: 1 }),
    holdPool: pool('holds', CONCURRENT_GROUPS + 1, 5_000),
    workerPool: pool('worker', config.DATABASE_WORKER_CONNECTIONS, 10_000, { probes: true }),
    limitConnecting: (connectMs) => {
      for (const each of all) limitConnecting(each, connectMs);
    },
    close: async () => {
      await Promise.all(all.map((each) => each.end()));
    },
  };
}
