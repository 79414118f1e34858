import { eventIdOf } from '../domain/ids.ts';
import type { AppendGroup, ClaimedBy, NewDelivery } from '../store/event-log.ts';
import type { PendingEvent } from './seal-event.ts';

/** The events of one request: stored together or not at all. */
export type Unit = readonly PendingEvent[];

export interface ItemResult {
  readonly id: string;
  readonly status: 'accepted' | 'duplicate';
  readonly deliveries: number;
}

export type UnitResult =
  | { readonly kind: 'accepted'; readonly items: readonly ItemResult[] }
  /** Indexes of events whose key belongs to an event with another body. */
  | { readonly kind: 'conflict'; readonly indexes: readonly number[] }
  /** Indexes of events whose tenant was deleted meanwhile. */
  | { readonly kind: 'tenant_gone'; readonly indexes: readonly number[] };

/** What is known before the group is planned. */
export interface Known {
  readonly claimed: ReadonlyMap<string, ClaimedBy>;
  readonly gone: ReadonlySet<number>;
}

export interface GroupPlan {
  readonly group: Omit<AppendGroup, 'keysExpireBefore'>;
  /** In the order of the units; they hold once the group is stored. */
  readonly results: readonly UnitResult[];
}

/** Where an event goes: endpoint numbers with their lanes, and the version of the routing that says so. */
export interface Matcher {
  match(
    tenantNum: number,
    type: string,
  ): { readonly version: bigint; readonly endpoints: readonly { num: number; lane: number }[] };
}

interface Holder {
  readonly bodyHash: string;
  readonly result: ItemResult;
}

/**
 * Decides, without I/O, what a group commit stores and what each request will be told. Events whose keys are claimed already are
 * duplicates when the body is the same and conflicts when it is not; a unit with a conflict stores nothing.
 */
export function planGroup(units: readonly Unit[], known: Known, matcher: Matcher): GroupPlan {
  const holders = new Map<string, Holder>();
  for (const [key, by] of known.claimed) {
    const id = by.externalId ?? eventIdOf(by.eventUuid);
    holders.set(key, { bodyHash: by.bodyHash, result: { id, status: 'duplicate', deliveries: by.deliveries } });
  }
  const stored: PlannedEvent[] = [];
  const routing = new Map<number, bigint>();
  const results = units.map((unit): UnitResult => {
    const orphans = [...unit.keys()].filter((index) => known.gone.has(unit[index]!.tenant.num));
    if (orphans.length > 0) return { kind: 'tenant_gone', indexes: orphans };
    return planUnit(unit, holders, stored, routing, matcher);
  });
  return { group: { ...columnsOf(stored), routing }, results };
}

interface PlannedEvent {
  readonly event: PendingEvent;
  readonly endpoints: readonly { num: number; lane: number }[];
}

function planUnit(
  unit: Unit,
  holders: Map<string, Holder>,
  stored: PlannedEvent[],
  routing: Map<number, bigint>,
  matcher: Matcher,
): UnitResult {
  const ours = new Map<string, Holder>();
  const planned: PlannedEvent[] = [];
  const items: ItemResult[] = [];
  const conflicts: number[] = [];
  for (const [index, event] of unit.entries()) {
    const taken = event.keys.map((key) => ours.get(key) ?? holders.get(key)).filter((holder) => holder !== undefined);
    if (taken.some((holder) => holder.bodyHash !== event.bodyHash)) {
      conflicts.push(index);
    } else if (taken[0] !== undefined) {
      items.push({ ...taken[0].result, status: 'duplicate' });
    } else {
      const { version, endpoints } = matcher.match(event.tenant.num, event.type);
      routing.set(event.tenant.num, version);
      planned.push({ event, endpoints });
      const result: ItemResult = { id: event.publicId, status: 'accepted', deliveries: endpoints.length };
      items.push(result);
      for (const key of event.keys) ours.set(key, { bodyHash: event.bodyHash, result });
    }
  }
  if (conflicts.length > 0) return { kind: 'conflict', indexes: conflicts };
  stored.push(...planned);
  for (const [key, holder] of ours) holders.set(key, holder);
  return { kind: 'accepted', items };
}

function columnsOf(stored: readonly PlannedEvent[]) {
  const deliveries: NewDelivery[] = stored.flatMap(({ event, endpoints }) =>
    endpoints.map(({ num, lane }) => ({ eventUuid: event.uuid, endpointNum: num, tenantNum: event.tenant.num, lane })),
  );
  return {
    events: stored.map(({ event }) => ({ ...event, tenantNum: event.tenant.num })),
    claims: stored.flatMap(({ event, endpoints }) =>
      event.keys.map((key) => ({ key, eventUuid: event.uuid, bodyHash: event.bodyHash, deliveries: endpoints.length })),
    ),
    deliveries,
  };
}
