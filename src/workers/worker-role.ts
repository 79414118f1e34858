import { randomUUID } from 'node:crypto';
import type { Context } from '../context.ts';
import { createKafkaSender } from '../delivery/brokers/kafka-sender.ts';
import { createRabbitmqSender } from '../delivery/brokers/rabbitmq-sender.ts';
import { readEgressProxy } from '../delivery/egress-proxy.ts';
import { openHostsFile } from '../delivery/hosts-file.ts';
import { createResolver, type Resolver } from '../delivery/resolver.ts';
import { DAY_MS, defaultSchedule } from '../delivery/retry-policy.ts';
import { routeSender } from '../delivery/route-sender.ts';
import { createSender } from '../delivery/send.ts';
import { systemDns } from '../delivery/system-dns.ts';
import { DEFAULT_MAX_IN_FLIGHT } from '../domain/endpoint.ts';
import { periodic, type Service } from '../lifecycle.ts';
import { listenForRings } from '../queues/doorbell.ts';
import { cancelForDeletedEndpoints, reopenDeletedEndpoints } from '../store/cancel-deleted.ts';
import { freeLanesOfGone } from '../store/free-gone-lanes.ts';
import { findSleepingLanes, forgetWorker, LEASE_MS } from '../store/lanes.ts';
import { loadTargets, type TargetDefaults } from '../store/targets.ts';
import { WorkerSession } from '../store/worker-session.ts';
import { announcerService } from './announcer-service.ts';
import { BusyPause } from './busy-pause.ts';
import { createLaneStore } from './create-lane-store.ts';
import { Expander } from './expander.ts';
import { farewell } from './farewell.ts';
import { housekeepingServices } from './housekeeping-services.ts';
import { LaneOwner } from './lane-owner.ts';
import { Replayer } from './replayer.ts';
import { Sweeper } from './sweeper.ts';
import { validatorService } from './validator-service.ts';
import { workService } from './work-service.ts';

const SWEEP_MS = 1_000;
/** How long a worker must have held its own session before it judges others: Postgres may have dropped all of them, and they come back. */
const JUDGE_MS = 2_000;
const CANCEL_MS = 2_000;
const REOPEN_MS = 3_600_000;
const REPLAY_LOOK_MS = 2_000;
const EXPANSION_LOOK_MS = 1_000;
/** How long work may stand still before the process says that it is stuck. */
const STUCK_MS = 12_000;

/**
 * The services that make deliveries, in the order in which they start. They stop together: what one of them leaves undone, another process
 * finds in Postgres.
 */
export function workerServices(context: Context): Service[] {
  const { workerPool: pool, observe, waker, health } = context;
  const id = `worker_${randomUUID()}`;
  const announcer = announcerService(context);
  const resolver = createResolver({ backend: systemDns(), hosts: openHostsFile('/etc/hosts') });
  const owner = createOwner(context, id, announcer.wake, resolver);
  const session = new WorkerSession({
    pool,
    workerId: id,
    onFailure: (error) => observe.workFailed('presence', error),
    onCall: (lanes) => void owner.wake(lanes),
  });
  const sweeper = new Sweeper(
    () => findSleepingLanes(pool),
    owner,
    (lanes) => observe.lanesFoundAsleep(lanes),
  );
  waker.local = { wake: (lanes) => owner.wake(lanes), expect: (deliveries) => owner.expect(deliveries) };
  observe.watchProcess({
    ...ownerStates(owner),
    neglected_seconds: () => sweeper.neglectedMs / 1000,
  });
  health.addLiveness(() => (owner.stalledMs > STUCK_MS ? 'deliveries are due and nothing moves' : null));
  health.addLiveness(() => (sweeper.neglectedMs > STUCK_MS ? 'lanes have due work and no owner' : null));
  const fail = (name: string, error: unknown) => observe.workFailed(name, error);
  const sweep = async (signal: AbortSignal) => {
    await takeOver(context, { owner, session, id, signal }).catch((error: unknown) => fail('takeover', error));
    await sweeper.runOnce();
  };
  return [
    lanesService(context, owner, session, id),
    announcer,
    periodic('sweeper', SWEEP_MS, sweep, fail),
    periodic('cancellations', CANCEL_MS, cancellations(pool), fail),
    replayService(context),
    expansionService(context),
    validatorService({
      context,
      resolver,
      targets: (nums) => loadTargets(pool, context.vault, targetDefaults(context), nums),
    }),
    ...housekeepingServices(context),
  ];
}

interface Taker {
  readonly owner: LaneOwner;
  readonly session: WorkerSession;
  readonly id: string;
  /** Whether it is stopping. */
  readonly signal: AbortSignal;
}

/** Frees the lanes of workers that are gone. */
async function takeOver({ workerPool: pool, observe }: Context, taker: Taker): Promise<void> {
  const { owner, session, id, signal } = taker;
  if (session.heldMs < JUDGE_MS) return;
  const freed = await freeLanesOfGone(pool, id, session.lockKey);
  if (freed.workers === 0) return;
  observe.workersGone(freed);
  // With one worker less the share is larger. A worker that stops would be counted anew, after it has said that it is gone.
  if (!signal.aborted) await owner.beat();
}

function ownerStates(owner: LaneOwner): Parameters<Context['observe']['watchProcess']>[0] {
  return {
    lanes_owned: () => owner.load.lanes,
    requests_in_flight: () => owner.load.inFlight,
    deliveries_held: () => owner.load.rows,
    held_bytes: () => owner.load.bytes,
    attempts_unsettled: () => owner.load.unsettled,
    late_seconds: () => owner.lateMs / 1000,
    draining_seconds: () => owner.drainingMs / 1000,
    stalled_seconds: () => owner.stalledMs / 1000,
  };
}

/**
 * The deletion of an endpoint cancels its first deliveries itself; here go the rest, and those of deleted tenants. At first, and every
 * hour, also those that came to one afterwards.
 */
function cancellations(pool: Context['workerPool']): (signal: AbortSignal) => Promise<void> {
  let reopenAt = 0;
  return async (signal) => {
    const isDue = performance.now() >= reopenAt;
    // One that fails must not be all that is tried.
    if (isDue) reopenAt = performance.now() + REOPEN_MS;
    for (let after: number | null = isDue ? 0 : null; after !== null && !signal.aborted; )
      after = await reopenDeletedEndpoints(pool, after);
    while (!signal.aborted && (await cancelForDeletedEndpoints(pool)));
  };
}

function replayService({ queues, config, workerPool: pool, ringEndpoints, observe }: Context): Service {
  const onFailure = (error: unknown) => observe.workFailed('replay', error);
  const replayer = new Replayer({ pool, lanes: config.LANES, ringEndpoints, onFailure });
  const drain = (signal: AbortSignal, budgetMs: number) => replayer.drain(signal, budgetMs);
  return workService({ kind: 'replays', queues, lookMs: REPLAY_LOOK_MS, drain, onFailure });
}

function expansionService({ queues, config, workerPool: pool, ringEndpoints, observe }: Context): Service {
  const onFailure = (error: unknown) => observe.workFailed('expansion', error);
  const expander = new Expander({ pool, lanes: config.LANES, ringEndpoints, onFailure });
  const drain = (signal: AbortSignal, budgetMs: number) => expander.drain(signal, budgetMs);
  return workService({ kind: 'expansions', queues, lookMs: EXPANSION_LOOK_MS, drain, onFailure });
}

/** What giving the lanes back may take at the end of a stop. */
const RELEASE_MS = 1_000;

function lanesService(
  { queues, doorbell, config, workerPool }: Context,
  owner: LaneOwner,
  session: WorkerSession,
  id: string,
): Service {
  let listener: ReturnType<typeof listenForRings> | undefined;
  return {
    name: 'lanes',
    start: async () => {
      session.start();
      owner.start();
      listener = listenForRings(queues, doorbell, config.LANES, (lane) => owner.hold(lane));
      owner.onShare = (lanes) => listener?.setConcurrency(lanes);
    },
    stop: async (deadlineMs) => {
      // The listener's open answers end when the owner gives the lanes back, so both stop together.
      const closing = listener?.close();
      await owner.stop(deadlineMs - RELEASE_MS);
      await session.close();
      await forgetWorker(workerPool, id);
      await farewell(closing);
    },
  };
}

function targetDefaults({ config }: Pick<Context, 'config'>): TargetDefaults {
  return {
    retryScheduleMs: defaultSchedule,
    timeoutMs: config.DELIVERY_TIMEOUT_SECONDS * 1000,
    maxInFlight: DEFAULT_MAX_IN_FLIGHT,
  };
}

function createOwner(context: Context, id: string, announce: () => void, resolver: Resolver): LaneOwner {
  const { config, clock, version, policy, observe, doorbell } = context;
  const store = createLaneStore({ context, workerId: id, defaults: targetDefaults(context), announce });
  const egress = { policy, resolver, connectTimeoutMs: config.CONNECT_TIMEOUT_SECONDS * 1000 };
  const proxy = readEgressProxy(config.EGRESS_PROXY_URL);
  const pause = new BusyPause();
  return new LaneOwner({
    store,
    sender: routeSender({
      http: createSender({ ...egress, proxy, connectionsPerOrigin: config.MAX_CONNECTIONS_PER_ORIGIN }),
      kafka: createKafkaSender(egress),
      rabbitmq: createRabbitmqSender(egress),
    }),
    nowMs: () => clock.nowMs(),
    retentionMs: config.RETENTION_DAYS * DAY_MS,
    userAgent: `Posthorn/${version}`,
    lanes: config.LANES,
    leaseMs: LEASE_MS,
    maxInFlight: config.MAX_DELIVERIES_IN_FLIGHT,
    maxBytes: config.MAX_BYTES_IN_FLIGHT,
    pauseMs: () => pause.ms,
    ring: (lanes) => doorbell.ring(lanes),
    ringIn: (lane, delayMs) => doorbell.ringIn(lane, delayMs),
    onAttempt: (attempt, ids) => observe.attemptFinished(attempt, ids),
    onGateNews: (news, tenantId, endpointId) => observe.gateChanged({ ...news, tenantId, endpointId }),
    onSetAside: (delivery) => observe.deliverySetAside(delivery),
    onEgressChange: (change) => observe.egressChanged(change),
    onLeaseLost: (lane) => observe.leaseLost(lane),
    onFailure: (what, error, about) => observe.workFailed(what, error, about),
  });
}
