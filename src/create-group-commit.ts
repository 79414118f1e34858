import type pg from 'pg';
import type { Context } from './context.ts';
import { uuidFloor } from './domain/ids.ts';
import { GroupCommit } from './ingest/group-commit.ts';
import { RoutingCache } from './ingest/routing-cache.ts';
import type { WorkBell } from './queues/work-bell.ts';
import { type AppendGroup, appendEvents, findClaims } from './store/event-log.ts';
import { isRetryable } from './store/lock-errors.ts';
import { loadRouting } from './store/routing.ts';

export interface GroupCommitParts extends Pick<Context, 'config' | 'observe' | 'clock' | 'bodies' | 'waker'> {
  readonly commitPool: pg.Pool;
  readonly expansionBell: WorkBell;
}

const HOUR_MS = 3_600_000;

/** The way of events into the log, and what follows for those that wait for them: lanes are woken, fan-outs rung. */
export function createGroupCommit(parts: GroupCommitParts): GroupCommit {
  const { config, observe, clock, commitPool, waker } = parts;
  const called = new WeakSet<AppendGroup>();
  return new GroupCommit({
    append: async (group) => {
      const since = performance.now();
      const call = waker.callBehind(group.deliveries.length, () => lanesOf(group));
      if (call !== null) called.add(group);
      const result = await appendEvents(commitPool, group, call);
      if (result.kind === 'stored') observe.committed(group.events.length, performance.now() - since);
      return result;
    },
    findClaims: (keys, before) => findClaims(commitPool, keys, before),
    isRetryable,
    routing: new RoutingCache((num) => loadRouting(commitPool, num), config.LANES),
    onStored: (group) => announce(group, called.has(group), parts),
    onFailure: (error, events) => observe.commitFailed(error, events),
    keysExpireBefore: () => uuidFloor(clock.nowMs() - config.IDEMPOTENCY_HOURS * HOUR_MS),
    maxEvents: config.INGEST_BUFFER_EVENTS,
    maxBytes: config.INGEST_BUFFER_BYTES,
    deadlineMs: config.INGEST_DEADLINE_MS,
  });
}

function announce(
  group: AppendGroup,
  isCalled: boolean,
  { bodies, waker, observe, expansionBell }: GroupCommitParts,
): void {
  const { expansions = [] } = group;
  const counts = new Map<string, number>();
  const count = (uuid: string, more: number) => counts.set(uuid, (counts.get(uuid) ?? 0) + more);
  for (const { eventUuid } of group.deliveries) count(eventUuid, 1);
  for (const { eventUuid, endpointNums } of expansions) count(eventUuid, endpointNums.length);
  const accepted = group.events.map(({ uuid, externalId, body, type, tenantNum }) => {
    const deliveries = counts.get(uuid) ?? 0;
    if (deliveries > 0) bodies.put(uuid, { externalId, body, expunged: false });
    return { uuid, externalId, tenantNum, type, bytes: body.length, deliveries };
  });
  observe.eventsAccepted(accepted);
  waker.wake(lanesOf(group), group.deliveries.length, isCalled);
  if (expansions.length > 0) expansionBell.ring();
}

function lanesOf(group: AppendGroup): Set<number> {
  return new Set(group.deliveries.map((delivery) => delivery.lane));
}
