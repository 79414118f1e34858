import { orderKey } from '../routing/order-key.ts';
import type { ClaimedBy } from '../store/claims.ts';
import type { AppendGroup, Claim, NewDelivery, NewEvent, NewExpansion } from '../store/event-log.ts';
import { EndpointSets } from './endpoint-sets.ts';
import { directBound, type FanOut, fanOut, MAX_DIRECT } from './fan-out.ts';
import { fateOf, type Holder, holdersOf } from './fate.ts';
import type { Match, Matcher, Unmatched } from './match.ts';
import { claimsOf, type PendingEvent } from './seal-event.ts';

/** The events of one request, stored together or not at all; or messages of a source, each of which stands for itself. One statement either way. */
export type Unit = readonly PendingEvent[];

export interface ItemResult {
  readonly id: string;
  readonly status: 'accepted' | 'duplicate';
  readonly deliveries: number;
}

/** What becomes of one message of a source. One that cannot be stored does not keep the others of its unit from being stored. */
export type IndependentResult = ItemResult | 'conflict' | 'tenant_gone' | 'too_costly';

export type UnitResult =
  | { readonly kind: 'accepted'; readonly items: readonly ItemResult[] }
  | { readonly kind: 'independent'; readonly items: readonly IndependentResult[] }
  /** Indexes of events whose key belongs to an event with another body. */
  | { readonly kind: 'conflict'; readonly indexes: readonly number[] }
  /** Indexes of events whose tenant was deleted since they were read. */
  | { readonly kind: 'tenant_gone'; readonly indexes: readonly number[] }
  /** Some event was checked by event types that have changed since. */
  | { readonly kind: 'types_changed' }
  /** The event at this index takes too long to be matched. Those after it were not looked at. */
  | { readonly kind: 'too_costly'; readonly index: number }
  /** Storing the batch would take more than one statement may. Its weight is counted by `weightOf`. */
  | { readonly kind: 'too_many_deliveries'; readonly weight: number };

/** Not planned: events of this tenant take long to be matched. */
export interface Costly {
  readonly kind: 'costly';
  readonly tenantNum: number;
}

/** Not planned: this turn of the event loop is used up, and others come first. */
export interface Later {
  readonly kind: 'later';
}

/** Why a unit was not planned. */
export type Unplanned = Costly | Later;

const LATER: Later = { kind: 'later' };

/**
 * Most deliveries that a batch may write at once. Deferred deliveries, which a worker writes later, count by the room that their numbers
 * take until then (`weightOf`). A single event is always taken: it brings no more deliveries than its tenant has endpoints.
 */
export const MAX_UNIT_DELIVERIES = 20_000;
/**
 * How many endpoint numbers of deferred deliveries take the room of one delivery: in the statement, where each list is sent once, and in
 * the table, where each event has a copy of its list.
 */
const NUMBERS_A_ROW = 64;
const COPIED_NUMBERS_A_ROW = 512;

/** What has to be known before a group is planned: who has its keys already, and which of its tenants are gone. */
export interface Known {
  readonly claimed: ReadonlyMap<string, ClaimedBy>;
  readonly gone: ReadonlySet<number>;
}

export interface GroupPlan {
  readonly stored: readonly PlannedEvent[];
  /**
   * An event that is stored already may come again with a key that it had not before. From now on that key stands for the stored event,
   * for as long as its other keys do.
   */
  readonly lateClaims: readonly Claim[];
  /** The weight of `stored`, in deliveries: see `weightOf`. */
  readonly deliveries: number;
  /** In the order of the units. They are true only once the group is stored. */
  readonly results: readonly (UnitResult | Unplanned)[];
}

export interface PlannedEvent extends Match, FanOut {
  readonly event: PendingEvent;
  readonly laneOf: Matcher['laneOf'];
}

/**
 * Decides, without I/O, what a group commit stores and what each request will be told. An event whose key is claimed already is a
 * duplicate if the body is the same, and a conflict if it is not. A request with a conflict stores nothing. No object is made for each
 * delivery here: `groupOf` does that once their number is known to be bearable, and only for those that are not deferred.
 */
export function planGroup(units: readonly Unit[], known: Known, matcher: Matcher): GroupPlan {
  const holders = holdersOf(known.claimed);
  const stored: PlannedEvent[] = [];
  const lateClaims: Claim[] = [];
  const planning = { matcher, sets: new EndpointSets(), gone: known.gone, lateClaims };
  const results: (UnitResult | Unplanned)[] = [];
  for (const unit of units) results.push(planUnit(unit, holders, stored, planning));
  return { stored, lateClaims, deliveries: weightOf(stored), results };
}

interface Fresh {
  readonly event: PendingEvent;
  readonly match: Match;
}

interface Planning {
  readonly matcher: Matcher;
  readonly sets: EndpointSets;
  readonly gone: ReadonlySet<number>;
  readonly lateClaims: Claim[];
}

function planUnit(
  unit: Unit,
  holders: Map<string, Holder>,
  stored: PlannedEvent[],
  planning: Planning,
): UnitResult | Unplanned {
  // The keys that it claims are added to `holders` as it is judged, for the units after it, and taken out again if it is not stored.
  const claimed: string[] = [];
  const result = judgeUnit(unit, holders, claimed, stored, planning);
  if (result.kind !== 'accepted' && result.kind !== 'independent') for (const key of claimed) holders.delete(key);
  return result;
}

function judgeUnit(
  unit: Unit,
  holders: Map<string, Holder>,
  claimed: string[],
  stored: PlannedEvent[],
  planning: Planning,
): UnitResult | Unplanned {
  const fresh: Fresh[] = [];
  const late: Claim[] = [];
  const items: IndependentResult[] = [];
  for (const event of unit) {
    const known = planning.gone.has(event.tenant.num) ? 'tenant_gone' : fateOf(event, holders);
    if (known !== null) {
      items.push(known);
      if (isItem(known)) late.push(...claimLate(event, holders, claimed));
      continue;
    }
    const match = recipientsOf(event, planning);
    if (match === null) return putOff(event.tenant.num, planning.matcher);
    if (match.endpoints === null) {
      // Nothing of a request is stored then, so that its other events need not be matched.
      if (event.source === undefined) return { kind: 'too_costly', index: items.length };
      items.push('too_costly');
      continue;
    }
    // The other way round, where it was checked by newer types than the routing here knows, the commit finds out.
    if ((event.rulesVersion ?? Infinity) < (match.rulesVersion ?? 0)) return { kind: 'types_changed' };
    fresh.push({ event, match });
    const result: ItemResult = { id: event.publicId, status: 'accepted', deliveries: match.endpoints.length };
    items.push(result);
    for (const { key, bodyHash } of claimsOf(event)) {
      holders.set(key, { bodyHash, eventUuid: event.uuid, result });
      claimed.push(key);
    }
  }
  const result = resultOf(unit, items);
  if (result.kind !== 'accepted' && result.kind !== 'independent') return result;
  const planned = divide(fresh, planning);
  const weight = weightOf(planned);
  if (unit.length > 1 && weight > MAX_UNIT_DELIVERIES) return { kind: 'too_many_deliveries', weight };
  for (const one of planned) stored.push(one);
  planning.lateClaims.push(...late);
  return result;
}

function putOff(tenantNum: number, matcher: Matcher): Unplanned {
  return matcher.isCostly(tenantNum) ? { kind: 'costly', tenantNum } : LATER;
}

/**
 * @returns claims on those keys of a duplicate that nobody has yet. None for a message that was recognised by its place in its source:
 * its mapping may have changed since, and with it what it is read as.
 */
function claimLate(event: PendingEvent, holders: Map<string, Holder>, claimed: string[]): readonly Claim[] {
  const place = event.source?.key ?? null;
  if (place !== null && holders.has(place)) return NO_CLAIMS;
  const holder = event.keys.map((key) => holders.get(key)).find((found) => found !== undefined);
  if (holder === undefined || event.keys.every((key) => holders.has(key))) return NO_CLAIMS;
  const { bodyHash, eventUuid, result } = holder;
  const free = event.keys.filter((key) => !holders.has(key));
  for (const key of free) {
    holders.set(key, holder);
    claimed.push(key);
  }
  return free.map((key) => ({ key, eventUuid, bodyHash, deliveries: result.deliveries }));
}

const NO_CLAIMS: readonly Claim[] = [];

/** What the producer of the unit is told. A request that has one bad event is refused as a whole. */
function resultOf(unit: Unit, items: readonly IndependentResult[]): UnitResult {
  if (unit[0]?.source !== undefined) return { kind: 'independent', items };
  if (items.every(isItem)) return { kind: 'accepted', items };
  const indexesOf = (fate: IndependentResult) => [...items.keys()].filter((index) => items[index] === fate);
  const orphans = indexesOf('tenant_gone');
  if (orphans.length > 0) return { kind: 'tenant_gone', indexes: orphans };
  return { kind: 'conflict', indexes: indexesOf('conflict') };
}

function isItem(result: IndependentResult): result is ItemResult {
  return typeof result === 'object';
}

function recipientsOf(event: PendingEvent, { matcher, sets }: Planning): Match | Unmatched | null {
  const match = matcher.match(event.tenant.num, event);
  if (match === null || match.endpoints === null) return match;
  const { exceptEndpoints: except } = event;
  if (except === undefined && match.endpoints.length <= MAX_DIRECT) return match;
  const wanted = except === undefined ? match.endpoints : match.endpoints.filter((num) => !except.has(num));
  return { ...match, endpoints: wanted.length > MAX_DIRECT ? sets.share(event.tenant.num, wanted) : wanted };
}

const matchOf = ({ match }: Fresh) => match;

function divide(fresh: readonly Fresh[], { matcher, sets }: Planning): readonly PlannedEvent[] {
  const most = directBound(fresh.map(matchOf), MAX_UNIT_DELIVERIES);
  const planned: PlannedEvent[] = [];
  for (const { event, match } of fresh) {
    const { direct, deferred } = fanOut(event.subject, match, most);
    const shared = deferred.length === 0 ? deferred : sets.share(event.tenant.num, deferred);
    planned.push({ ...match, event, direct, deferred: shared, laneOf: matcher.laneOf });
  }
  return planned;
}

/** What it takes to store these, in deliveries that are written at once. */
function weightOf(planned: readonly PlannedEvent[]): number {
  const sets = new Set<readonly number[]>();
  let direct = 0;
  let copied = 0;
  for (const one of planned) {
    direct += one.direct.length;
    if (one.deferred.length === 0) continue;
    copied += one.deferred.length;
    sets.add(one.deferred);
  }
  const distinct = [...sets].reduce((sum, { length }) => sum + length, 0);
  return direct + Math.ceil(distinct / NUMBERS_A_ROW + copied / COPIED_NUMBERS_A_ROW);
}

/** The rows that a plan stores. */
export function groupOf({ stored, lateClaims }: GroupPlan): Omit<AppendGroup, 'keysExpireBefore'> {
  const events: NewEvent[] = [];
  const claims: Claim[] = [...lateClaims];
  const deliveries: NewDelivery[] = [];
  const expansions: NewExpansion[] = [];
  const routing = new Map<number, bigint>();
  for (const planned of stored) {
    const { event, endpoints, deferred, version } = planned;
    const { uuid, tenant, type, subject, externalId, body } = event;
    events.push({ uuid, tenantNum: tenant.num, tenantId: tenant.id, type, subject, externalId, body });
    for (const { key, bodyHash } of claimsOf(event))
      claims.push({ key, bodyHash, eventUuid: uuid, deliveries: endpoints.length });
    addDeliveries(deliveries, planned);
    if (deferred.length > 0) expansions.push({ eventUuid: uuid, tenantNum: tenant.num, endpointNums: deferred });
    routing.set(tenant.num, version);
  }
  return { events, claims, deliveries, expansions, routing };
}

function addDeliveries(deliveries: NewDelivery[], { event, direct, ordered, laneOf }: PlannedEvent): void {
  for (const num of direct)
    deliveries.push({
      eventUuid: event.uuid,
      endpointNum: num,
      tenantNum: event.tenant.num,
      lane: laneOf(num),
      orderKey: ordered === undefined ? null : orderKey(ordered.get(num) ?? 'none', event.subject),
    });
}
