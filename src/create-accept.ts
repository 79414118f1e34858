import { within } from './api/within.ts';
import type { Config } from './config/config.ts';
import { keysExpireBefore } from './create-group-commit.ts';
import { createTypeRules } from './create-lookups.ts';
import type { Pools } from './create-pools.ts';
import type { CompileTurns } from './event-types/compile-turns.ts';
import type { AcceptDependencies } from './ingest/accept.ts';
import type { RoutingHolds } from './ingest/routing-holds.ts';
import { shareLookups } from './ingest/share-lookups.ts';
import type { Observer } from './observability/observer.ts';
import { type AskedKey, findLivingClaims } from './store/claims.ts';
import type { Clock } from './store/clock.ts';
import { findMadeIds } from './store/made-ids.ts';

export interface AcceptOptions extends Pick<AcceptDependencies, 'commits' | 'recallTenant'> {
  readonly config: Config;
  readonly observe: Observer;
  readonly clock: Clock;
  readonly holds: RoutingHolds;
  readonly pools: Pick<Pools, 'commitPool' | 'accessPool' | 'routingPool'>;
  readonly checkTurns: CompileTurns;
}

/** Builds what accepting events needs, wherever they come from. */
export function createAccept(options: AcceptOptions): AcceptDependencies {
  const { config, observe, clock, commits, holds, pools, recallTenant, checkTurns } = options;
  const { commitPool } = pools;
  const lookUpClaims = (mostWaiting: number) =>
    shareLookups(
      (asked: readonly AskedKey[]) => findLivingClaims(commitPool, asked, keysExpireBefore({ config, clock })),
      { most: 10_000, mostWaiting, patienceMs: config.INGEST_DEADLINE_MS },
    );
  return {
    commits,
    recallTenant,
    pgNowMs: () => clock.nowMs(),
    findGeneratedIds: (ids) => within(config.INGEST_DEADLINE_MS, findMadeIds(commitPool, ids)),
    findStored: lookUpClaims(100_000),
    // In a queue of their own: these events are refused anyway, must keep no others waiting, and can do without the answer.
    findConflicts: lookUpClaims(10_000),
    withinDeadline: (work) => within(config.INGEST_DEADLINE_MS, work),
    maxEventBytes: config.MAX_EVENT_BYTES,
    types: {
      rules: createTypeRules(config, pools, checkTurns),
      onMisfit: (event) => observe.eventMisfit(event),
      duringHold: (tenants, work) => holds.during(tenants, work),
    },
  };
}
