import { readFileSync } from 'node:fs';
import type { Config } from './config/config.ts';
import type { Context } from './context.ts';
import { createApiParts } from './create-api-parts.ts';
import { createIngest } from './create-ingest.ts';
import { createPools } from './create-pools.ts';
import { createSignals } from './create-signals.ts';
import type { EgressPolicy } from './delivery/egress-policy.ts';
import type { Observer } from './observability/observer.ts';
import { ProcessHealth } from './process-health.ts';
import { laneOf } from './routing/lane-of.ts';
import { BodyCache } from './store/body-cache.ts';
import { Clock } from './store/clock.ts';
import { readFigures } from './store/installation-figures.ts';
import { promoteAfter } from './store/order.ts';
import { createPrisma } from './store/prisma.ts';
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
/** Bodies are remembered from their acceptance to their first delivery: those of a second or so at full load, not of the whole backlog. */
const BODY_CACHE_SHARE = 1 / 8;

/** Builds everything that a process shares. Opens no connection before it is used. */
export function buildContext({
  config,
  databaseUrl,
  operatorKey,
  masterKeys,
  policy,
  observe,
}: ContextOptions): Context {
  const connectMs = Math.max(CONNECT_MS, config.INGEST_DEADLINE_MS - STORE_MS);
  const pools = createPools(config, databaseUrl, observe);
  const { apiPool, accessPool, workerPool } = pools;
  const prisma = createPrisma(apiPool, connectMs);
  const clock = new Clock();
  const signals = createSignals({ config, databaseUrl, observe, workerPool });
  const { queues, doorbell, waker, replayBell, expansionBell } = signals;
  const health = new ProcessHealth(workerPool);
  health.addReadiness(() => queues.problem());
  // Only for a process that delivers: another one would keep them for nobody.
  const bodies = new BodyCache(config.ROLES.includes('worker') ? config.MAX_BYTES_IN_FLIGHT * BODY_CACHE_SHARE : 0);
  const ingest = createIngest({ config, observe, clock, bodies, waker, pools, expansionBell });
  const version = productVersion();
  watch({ observe, version, workerPool, commits: ingest.commits, clock, queues });
  return {
    config,
    version,
    observe,
    clock,
    vault: new Vault(masterKeys),
    policy,
    apiPool,
    workerPool,
    prisma,
    queues,
    doorbell,
    waker,
    bodies,
    health,
    ...ingest,
    ...createApiParts({ config, clock, prisma, accessPool, operatorKey, masterKey: masterKeys[0]! }),
    promote: (keys) => promoteAfter(apiPool, keys).catch((error) => observe.workFailed('what stands in order', error)),
    ringEndpoints: (nums) => waker.wake(new Set([...nums].map((num) => laneOf(num, config.LANES)))),
    ringReplays: () => replayBell.ring(),
    beginServing: () => pools.limitConnecting(connectMs),
    close: async () => {
      ingest.commits.stop();
      await signals.close();
      await prisma.$disconnect();
      await pools.close();
    },
  };
}

type Watched = Pick<Context, 'observe' | 'version' | 'workerPool' | 'commits' | 'clock' | 'queues'>;

/** Has the figures of the process, and of the installation, among the metrics. */
function watch({ observe, version, workerPool, commits, clock, queues }: Watched): void {
  observe.metrics.noteBuild(version);
  observe.watchInstallation(() => readFigures(workerPool));
  observe.watchProcess({
    commit_waiting_events: () => commits.waitingEvents,
    commit_waiting_bytes: () => commits.waitingBytes,
    clock_difference_seconds: () => clock.aheadOfHostMs / 1_000,
    queue_refuses_writes: () => Number(queues.refusesWrites),
  });
}

/** The version in package.json: what the user agent of deliveries says. */
export function productVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
