import type pg from 'pg';
import type { Authenticator } from './api/authenticator.ts';
import type { Cursors } from './api/cursor.ts';
import type { FilterTrials } from './api/filter-trials.ts';
import type { TenantTurnstile } from './api/tenant-turnstile.ts';
import type { Config } from './config/config.ts';
import type { EgressPolicy } from './delivery/egress-policy.ts';
import type { TenantRef } from './domain/caller.ts';
import type { CompileTurns } from './event-types/compile-turns.ts';
import type { AcceptDependencies } from './ingest/accept.ts';
import type { GroupCommit } from './ingest/group-commit.ts';
import type { TenantLimiter } from './ingest/tenant-limiter.ts';
import type { LaneWaker } from './lane-waker.ts';
import type { Observer } from './observability/observer.ts';
import type { ProcessHealth } from './process-health.ts';
import type { QueueBackend } from './queues/backend.ts';
import type { Doorbell } from './queues/doorbell.ts';
import type { BodyCache } from './store/body-cache.ts';
import type { Clock } from './store/clock.ts';
import type { Promote } from './store/order.ts';
import type { PrismaClient } from './store/prisma.ts';
import type { Vault } from './store/vault.ts';

/** What the parts of a process share. It is built in one place (`build-context.ts`) and passed as an argument. Functions take only the fields they need. */
export interface Context {
  readonly config: Config;
  readonly version: string;
  readonly observe: Observer;
  readonly clock: Clock;
  readonly vault: Vault;
  readonly policy: EgressPolicy;
  /** For the API's reads and changes of configuration. */
  readonly apiPool: pg.Pool;
  /** For deliveries, apart from `apiPool`: so an API under load does not take their connections. */
  readonly workerPool: pg.Pool;
  readonly queues: QueueBackend;
  readonly doorbell: Doorbell;
  readonly waker: LaneWaker;
  readonly prisma: PrismaClient;
  readonly commits: GroupCommit;
  /** What accepting events needs, whether they come over HTTP or from a source. */
  readonly accept: AcceptDependencies;
  /** For calls that compile or compare schemas of a tenant. Their time is not counted against that of the tenant's events. */
  readonly schemaTurns: CompileTurns;
  readonly ingestLimits: TenantLimiter;
  readonly bodies: BodyCache;
  readonly authenticator: Authenticator;
  readonly health: ProcessHealth;
  readonly cursors: Cursors;
  /** For calls that search a list: the tenants take turns. */
  readonly scanTurns: TenantTurnstile;
  /** For calls that wait for a lock of their tenant, each with a connection in hand. */
  readonly lockTurns: TenantTurnstile;
  readonly trials: FilterTrials;
  /** Reads a tenant by its public id; null: there is none. */
  readonly findTenant: (id: string) => Promise<TenantRef | null>;
  /** From memory where it is known, else it is read. May be stale: the commit of an event notices that the tenant was deleted. */
  readonly recallTenant: (id: string) => TenantRef | Promise<TenantRef | null>;
  /** Wakes the lanes of endpoints that have something new to do. Returns at once. */
  readonly ringEndpoints: (endpointNums: Iterable<number>) => void;
  /** Never rejects: what was done before it is done. */
  readonly promote: Promote;
  /** Tells the workers that there is a replay to make. Returns at once. */
  readonly ringReplays: () => void;
  /** To be called once, when the process begins to answer calls. Until then it may wait long for a connection to Postgres. */
  readonly beginServing: () => void;
  readonly close: () => Promise<void>;
}
