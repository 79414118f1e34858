import type pg from 'pg';
import type { Context } from './context.ts';
import { createRoutingLoads, type LookupPools } from './create-lookups.ts';
import { uuidFloor } from './domain/ids.ts';
import { GroupCommit } from './ingest/group-commit.ts';
import { RoutingCache } from './ingest/routing-cache.ts';
import type { RoutingHolds } from './ingest/routing-holds.ts';
import type { AcceptedEvent } from './observability/facts.ts';
import type { WorkBell } from './queues/work-bell.ts';
import { findClaims } from './store/claims.ts';
import { type AppendGroup, type AppendResult, appendEvents } from './store/event-log.ts';
import { isRetryable } from './store/lock-errors.ts';
import type { EventBody } from './store/mailbox.ts';
import { openAhead } from './store/pools.ts';

export interface GroupCommitParts
  extends LookupPools,
    Pick<Context, 'config' | 'observe' | 'clock' | 'bodies' | 'waker'> {
  readonly commitPool: pg.Pool;
  readonly holds: RoutingHolds;
  readonly expansionBell: WorkBell;
}

const HOUR_MS = 3_600_000;

/** Builds what commits events to the log, and then has them delivered: it hands deliveries over, wakes lanes and rings for fan-outs. */
export function createGroupCommit(parts: GroupCommitParts): GroupCommit {
  const { config, observe, commitPool, holds } = parts;
  return new GroupCommit({
    append: (group) => append(group, parts),
    findClaims: (keys, before) => findClaims(commitPool, keys, before),
    isRetryable,
    holdRouting: holds.beside,
    routing: new RoutingCache(createRoutingLoads(config, parts), config.LANES),
    onFailure: (error, events) => observe.commitFailed(error, events),
    keysExpireBefore: () => keysExpireBefore(parts),
    maxEvents: config.INGEST_BUFFER_EVENTS,
    maxBytes: config.INGEST_BUFFER_BYTES,
    deadlineMs: config.INGEST_DEADLINE_MS,
  });
}

/** Keys of events older than this UUID may be claimed again. */
export function keysExpireBefore({ clock, config }: Pick<Context, 'clock' | 'config'>): string {
  return uuidFloor(clock.nowMs() - config.IDEMPOTENCY_HOURS * HOUR_MS);
}

async function append(group: AppendGroup, parts: GroupCommitParts): Promise<AppendResult> {
  const { observe, commitPool, waker } = parts;
  const since = performance.now();
  const expected = waker.local?.expect(group.deliveries) ?? null;
  try {
    const call = waker.callBehind(group.deliveries.length, () => lanesOf(group));
    const known = expected === null ? group : { ...group, endpoints: expected.endpoints };
    const appended = appendEvents(commitPool, known, call);
    openAhead(commitPool);
    const result = await appended;
    if (result.kind !== 'stored') {
      expected?.missed(false);
      return result;
    }
    const counts = countDeliveries(group);
    const bodies = bodiesOf(group, counts);
    const left = expected?.arrived(result.changed ?? [], bodies) ?? { lanes: lanesOf(group), events: bodies.keys() };
    observe.committed(group.events.length, performance.now() - since);
    observe.eventsAccepted(factsOf(group, counts));
    const { expansions = [] } = group;
    // Not the bodies of events that were handed over: whoever has these has their bodies, too.
    for (const uuid of left.events) parts.bodies.put(uuid, bodies.get(uuid)!);
    for (const { eventUuid } of expansions) parts.bodies.put(eventUuid, bodies.get(eventUuid)!);
    if (left.lanes.size > 0)
      waker.wake(left.lanes, { deliveries: group.deliveries.length, alreadyCalled: call !== null });
    if (expansions.length > 0) parts.expansionBell.ring();
    return result;
  } catch (error) {
    // Whatever went wrong: deliveries that were expected here and did not come must be read like any others.
    expected?.missed(!isRetryable(error));
    throw error;
  }
}

/** @returns how many deliveries each event has; events without any are absent */
function countDeliveries({ deliveries, expansions = [] }: AppendGroup): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { eventUuid } of deliveries) counts.set(eventUuid, (counts.get(eventUuid) ?? 0) + 1);
  for (const { eventUuid, endpointNums } of expansions)
    counts.set(eventUuid, (counts.get(eventUuid) ?? 0) + endpointNums.length);
  return counts;
}

function factsOf({ events }: AppendGroup, counts: ReadonlyMap<string, number>): readonly AcceptedEvent[] {
  const facts: AcceptedEvent[] = [];
  for (const { uuid, externalId, body, type, tenantId } of events)
    facts.push({ uuid, externalId, tenantId, type, bytes: body.length, deliveries: counts.get(uuid) ?? 0 });
  return facts;
}

function bodiesOf({ events }: AppendGroup, counts: ReadonlyMap<string, number>): ReadonlyMap<string, EventBody> {
  const bodies = new Map<string, EventBody>();
  for (const { uuid, externalId, body } of events)
    if (counts.has(uuid)) bodies.set(uuid, { externalId, body, expunged: false });
  return bodies;
}

function lanesOf(group: AppendGroup): Set<number> {
  const lanes = new Set<number>();
  for (const { lane } of group.deliveries) lanes.add(lane);
  return lanes;
}
