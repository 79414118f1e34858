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

/** What becomes of a source's message that cannot be stored; its neighbours are. */
export type IndependentResult = ItemResult | 'conflict' | 'tenant_gone' | 'too_costly';

export type UnitResult =
  | { readonly kind: 'accepted'; readonly items: readonly ItemResult[] }
  | { readonly kind: 'independent'; readonly items: readonly IndependentResult[] }
  /** Indexes of events whose key belongs to an event with another body. */
  | { readonly kind: 'conflict'; readonly indexes: readonly number[] }
  /** Indexes of events whose tenant was deleted meanwhile. */
  | { readonly kind: 'tenant_gone'; readonly indexes: readonly number[] }
  /** Some event was checked by event types that are no longer what they were. */
  | { readonly kind: 'types_changed' }
  /** The event at this index takes too long to be matched; of those after it nothing is known. */
  | { readonly kind: 'too_costly'; readonly index: number }
  /** Storing the batch would take more than one statement may: its weight, see `weightOf`. */
  | { readonly kind: 'too_many_deliveries'; readonly weight: number };

/** Not planned: events of this tenant take long to be matched. */
export interface Costly {
  readonly kind: 'costly';
  readonly tenantNum: number;
}

/** Not planned: others are to have the event loop before it is. */
export interface Later {
  readonly kind: 'later';
}

/** What of a unit is not known yet. */
export type Unplanned = Costly | Later;

const LATER: Later = { kind: 'later' };

/**
 * Deliveries that a batch may write at once; what a worker writes later counts by what it takes until then (`weightOf`). A single event
 * is always taken: it brings no more than its tenant has endpoints.
 */
export const MAX_UNIT_DELIVERIES = 20_000;
/** Numbers of deferred deliveries that take the room of one row in a statement: those of one list, and those of all copies of it in the table. */
const NUMBERS_A_ROW = 64;
const COPIED_NUMBERS_A_ROW = 512;

/** What is known before the group is planned. */
export interface Known {
  readonly claimed: ReadonlyMap<string, ClaimedBy>;
  readonly gone: ReadonlySet<number>;
}

export interface GroupPlan {
  readonly stored: readonly PlannedEvent[];
  /** Keys that came with events that are stored already by others of theirs: they stand for these from now on, and for as long. */
  readonly lateClaims: readonly Claim[];
  /** How many deliveries `groupOf` makes of `stored`, with what deferred ones count as. */
  readonly deliveries: number;
  /** In the order of the units; they hold once the group is stored. */
  readonly results: readonly (UnitResult | Unplanned)[];
}

export interface PlannedEvent extends Match, FanOut {
  readonly event: PendingEvent;
  readonly laneOf: Matcher['laneOf'];
}

/**
 * Decides, without I/O, what a group commit stores and what each request will be told. Events whose keys are claimed already are
 * duplicates when the body is the same and conflicts when it is not; a unit with a conflict stores nothing. No object is
 * made per delivery: `groupOf` does that, once their number is known to be bearable, and only for those that are not deferred.
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
  // Its claims are among the others' at once, and taken back where it is not stored.
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
      // Nothing of the request is stored: to match the others would be in vain.
      if (event.source === undefined) return { kind: 'too_costly', index: items.length };
      items.push('too_costly');
      continue;
    }
    // What was checked by newer types than are known here, the commit finds out.
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

/** A duplicate's keys that nobody has yet. Not those of a message that was taken at its place: what it is read as may have changed. */
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

/** What the unit's owner is told: a request that has one bad event is bad. */
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

/** What storing these takes, in deliveries that are written at once. */
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

/** What a plan stores, row by row. */
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
