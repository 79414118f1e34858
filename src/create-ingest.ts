import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { defaultLimits } from './api/limits-json.ts';
import { within } from './api/within.ts';
import type { Config } from './config/config.ts';
import type { Context } from './context.ts';
import { createAccept } from './create-accept.ts';
import { createGroupCommit } from './create-group-commit.ts';
import { createTenantRecall } from './create-lookups.ts';
import type { Pools } from './create-pools.ts';
import { CompileTurns } from './event-types/compile-turns.ts';
import { RoutingHolds } from './ingest/routing-holds.ts';
import { TenantLimiter } from './ingest/tenant-limiter.ts';
import type { WorkBell } from './queues/work-bell.ts';
import { countWaitingOf, exchangeDemand, forgetDemand } from './store/ingest-demand.ts';
import { holdRouting, routingBucket } from './store/routing.ts';

export interface IngestOptions extends Pick<Context, 'config' | 'observe' | 'clock' | 'bodies' | 'waker'> {
  readonly pools: Pools;
  readonly expansionBell: WorkBell;
}

/** What accepts events, wherever they come from, and holds tenants to their limits. */
export type Ingest = Pick<Context, 'commits' | 'accept' | 'schemaTurns' | 'ingestLimits' | 'recallTenant'>;

export function createIngest(options: IngestOptions): Ingest {
  const { config, observe, clock, bodies, waker, pools, expansionBell } = options;
  const { apiPool, commitPool, accessPool, routingPool, holdPool } = pools;
  // Holds have connections of their own. Those of the API may all wait for what is held, and commits would wait for each other's. What is
  // done under a hold must not need the API's either.
  const holds = new RoutingHolds((tenants) => holdRouting(holdPool, tenants), routingBucket);
  const commits = createGroupCommit({
    config,
    observe,
    clock,
    bodies,
    waker,
    commitPool,
    accessPool,
    routingPool,
    holds,
    expansionBell,
  });
  const recallTenant = createTenantRecall(config, accessPool);
  const checkTurns = new CompileTurns();
  return {
    commits,
    accept: createAccept({ config, observe, clock, commits, holds, pools, recallTenant, checkTurns }),
    // Apart from events: else a call that registers a version could shut the events of its tenant out.
    schemaTurns: checkTurns.apart(),
    ingestLimits: createLimiter(config, accessPool, apiPool),
    recallTenant,
  };
}

/** Tenants whose limits a process remembers. */
const LIMITED_TENANTS = 10_000;

/** @param readPool for counting backlogs, which may take long */
function createLimiter(config: Config, pool: pg.Pool, readPool: pg.Pool): TenantLimiter {
  const process = `api_${randomUUID()}`;
  return new TenantLimiter({
    exchange: (demands) => within(config.INGEST_DEADLINE_MS, exchangeDemand(pool, process, demands)),
    countWaiting: (caps) => countWaitingOf(readPool, caps),
    leave: () => forgetDemand(pool, process),
    defaults: defaultLimits(config),
    steadyMs: () => performance.now(),
    maxTenants: LIMITED_TENANTS,
  });
}
