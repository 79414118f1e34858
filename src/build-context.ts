import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type pg from 'pg';
import { Authenticator, type AuthenticatorOptions } from './api/authenticator.ts';
import { Cursors } from './api/cursor.ts';
import { FilterTrials } from './api/filter-trials.ts';
import { defaultLimits } from './api/limits-json.ts';
import { TenantTurnstile } from './api/tenant-turnstile.ts';
import { within } from './api/within.ts';
import type { Config } from './config/config.ts';
import type { Context } from './context.ts';
import { createAccept } from './create-accept.ts';
import { createGroupCommit } from './create-group-commit.ts';
import { createTenantRecall } from './create-lookups.ts';
import { createPools } from './create-pools.ts';
import type { EgressPolicy } from './delivery/egress-policy.ts';
import { CompileTurns } from './event-types/compile-turns.ts';
import { RoutingHolds } from './ingest/routing-holds.ts';
import { shareLookups } from './ingest/share-lookups.ts';
import { TenantLimiter } from './ingest/tenant-limiter.ts';
import { LaneWaker } from './lane-waker.ts';
import type { Observer } from './observability/observer.ts';
import { ProcessHealth } from './process-health.ts';
import { createQueueBackend } from './queues/backend.ts';
import { Doorbell } from './queues/doorbell.ts';
import { WorkBell, type WorkKind } from './queues/work-bell.ts';
import { laneOf } from './routing/lane-of.ts';
import { BodyCache } from './store/body-cache.ts';
import { Clock } from './store/clock.ts';
import { findKeys, mayBeKey } from './store/find-api-keys.ts';
import { countWaitingOf, exchangeDemand, forgetDemand } from './store/ingest-demand.ts';
import { readFigures } from './store/installation-figures.ts';
import { LaneCalls } from './store/lane-calls.ts';
import { promoteAfter } from './store/order.ts';
import { createPrisma } from './store/prisma.ts';
import { holdRouting, routingBucket } from './store/routing.ts';
import { findTenant } from './store/tenants.ts';
import { Vault } from './store/vault.ts';

export interface ContextOptions {
  readonly config: Config;
  readonly databaseUrl: string;
  readonly operatorKey: string;
  readonly masterKeys: readonly string[];
  readonly policy: EgressPolicy;
  readonly observe: Observer;
}

/**
 * Longest wait for a connection, in ms: a producer must hear within a second that its event was not stored. Where it is given longer, so is
 * a Postgres that takes its time to open one.
 */
const CONNECT_MS = 800;
/** What is left of the deadline of a producer once there is a connection. */
const STORE_MS = 100;
/** Keys that a process does not know are looked for together, so many at once; past as many that wait, more are refused. */
const UNKNOWN_KEYS = { most: 1_000, mostWaiting: 4_000 };
const KNOWN_KEYS = { most: 1_000, mostWaiting: 10_000 };
/** Bodies are remembered from their acceptance to their first delivery: of a second or so at full load, not of the whole backlog. */
const BODY_CACHE_SHARE = 1 / 8;

/** Builds everything that a process shares. Opens no connection before it is used. */
export function buildContext(options: ContextOptions): Context {
  const { config, databaseUrl, observe, policy } = options;
  const connectMs = Math.max(CONNECT_MS, config.INGEST_DEADLINE_MS - STORE_MS);
  const pools = createPools(config, databaseUrl, observe);
  const { apiPool, commitPool, routingPool, accessPool, holdPool, workerPool } = pools;
  const prisma = createPrisma(apiPool, connectMs);
  const clock = new Clock();
  const queues = createQueueBackend({
    redisUrl: config.REDIS_URL,
    databaseUrl,
    prefix: config.REDIS_PREFIX,
    onError: (error) => observe.queueFailed(error),
  });
  const health = new ProcessHealth(workerPool);
  health.addReadiness(() => queues.problem());
  const doorbell = new Doorbell(queues, (error) => observe.queueFailed(error));
  const bell = (kind: WorkKind) => new WorkBell(queues, kind, (error) => observe.queueFailed(error));
  const replayBell = bell('replays');
  const expansionBell = bell('expansions');
  const laneCalls = new LaneCalls(workerPool, (error) => observe.workFailed('lane call', error));
  const waker = new LaneWaker({
    ring: (lanes) => doorbell.ring(lanes),
    call: (lanes) => laneCalls.call(lanes),
    callBehind: (lanes) => laneCalls.callBehind(lanes),
  });
  // Only for a process that delivers: another one would keep them for nobody.
  const bodies = new BodyCache(config.ROLES.includes('worker') ? config.MAX_BYTES_IN_FLIGHT * BODY_CACHE_SHARE : 0);
  // By connections of their own: those of the API may all be waiting for what is held, and commits would wait for each other's. Nor may what is done meanwhile need the API's.
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
  const version = productVersion();
  observe.metrics.noteBuild(version);
  observe.watchInstallation(() => readFigures(workerPool));
  observe.watchProcess({
    commit_waiting_events: () => commits.waitingEvents,
    commit_waiting_bytes: () => commits.waitingBytes,
    clock_difference_seconds: () => clock.aheadOfHostMs / 1_000,
    queue_refuses_writes: () => Number(queues.refusesWrites),
  });
  const checkTurns = new CompileTurns();
  return {
    config,
    version,
    observe,
    clock,
    vault: new Vault(options.masterKeys),
    policy,
    apiPool,
    workerPool,
    prisma,
    queues,
    doorbell,
    waker,
    commits,
    accept: createAccept({ config, observe, clock, commits, holds, pools, recallTenant, checkTurns }),
    // Else a call that registers a version could shut the events of its tenant out.
    schemaTurns: checkTurns.apart(),
    ingestLimits: createLimiter(config, accessPool, apiPool),
    bodies,
    authenticator: new Authenticator({
      operatorKey: options.operatorKey,
      find: createKeyFinder(config, accessPool, clock),
      pgNowMs: () => clock.nowMs(),
    }),
    health,
    cursors: new Cursors(options.masterKeys[0]!),
    scanTurns: new TenantTurnstile(scanBounds(config.DATABASE_API_CONNECTIONS)),
    lockTurns: new TenantTurnstile(lockBounds(config.DATABASE_API_CONNECTIONS)),
    trials: new FilterTrials(),
    findTenant: (id) => findTenant(prisma, id),
    recallTenant,
    promote: (keys) => promoteAfter(apiPool, keys).catch((error) => observe.workFailed('what stands in order', error)),
    ringEndpoints: (nums) => waker.wake(new Set([...nums].map((num) => laneOf(num, config.LANES)))),
    ringReplays: () => replayBell.ring(),
    beginServing: () => pools.limitConnecting(connectMs),
    close: async () => {
      commits.stop();
      laneCalls.close();
      await Promise.all([doorbell.close(), replayBell.close(), expansionBell.close()]);
      await queues.close();
      await prisma.$disconnect();
      await pools.close();
    },
  };
}

/** Half of the connections for scans, and half of these for one tenant's. */
function scanBounds(connections: number) {
  const most = Math.max(1, Math.floor(connections / 2));
  return { most, mostOfTenant: Math.max(1, Math.floor(most / 2)), mostWaiting: WAITING_SCANS };
}

const WAITING_SCANS = 32;

/** Few at once, so that what waits for locks leaves lists their connections; those of one tenant go one after the other, as its lock has them go. */
function lockBounds(connections: number) {
  return { most: Math.max(1, Math.floor(connections / 4)), mostOfTenant: 1, mostWaiting: WAITING_FOR_LOCKS };
}

/** Each is a request that a script has sent beside its others, and takes hardly anything. */
const WAITING_FOR_LOCKS = 1_000;

const LIMITED_TENANTS = 10_000;

/** Keys that were good before are not looked for behind those that may be made up. */
function createKeyFinder(config: Config, pool: pg.Pool, clock: Clock): AuthenticatorOptions['find'] {
  const patienceMs = config.INGEST_DEADLINE_MS;
  const find = (keys: readonly string[]) => findKeys(pool, keys, clock.nowMs());
  const findKnown = shareLookups(find, { ...KNOWN_KEYS, patienceMs });
  const findUnknown = shareLookups(find, { ...UNKNOWN_KEYS, patienceMs });
  return async (key, wasKnown) => {
    if (!mayBeKey(key)) return null;
    const found = await within(patienceMs, (wasKnown ? findKnown : findUnknown)([key]));
    return found.get(key) ?? null;
  };
}

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

/** The version in package.json: what the user agent of deliveries says. */
export function productVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
