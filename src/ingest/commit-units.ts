import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ClaimedBy } from '../store/claims.ts';
import type { AppendGroup, AppendResult } from '../store/event-log.ts';
import { TurnMeter } from './match-meter.ts';
import { type PendingUnit, tenantsOf } from './pending-unit.ts';
import { type GroupPlan, groupOf, planGroup, type Unit, type UnitResult, type Unplanned } from './plan-group.ts';
import type { RoutingCache } from './routing-cache.ts';
import { claimsOf } from './seal-event.ts';

export interface CommitOptions {
  /** Stores a group, hands its deliveries over and wakes those who wait for them. */
  readonly append: (group: AppendGroup) => Promise<AppendResult>;
  readonly findClaims: (keys: readonly string[], expireBefore: string) => Promise<ReadonlyMap<string, ClaimedBy>>;
  /** Whether the error is a serialization failure or a deadlock, after which the same group may be tried again at once. */
  readonly isRetryable: (error: unknown) => boolean;
  readonly routing: RoutingCache;
  readonly onFailure: (error: unknown, events: number) => void;
  /** Events older than this UUID have lost the claims to their keys. */
  readonly keysExpireBefore: () => string;
  /** A clock that never steps back; absent: the process's. */
  readonly steadyMs?: () => number;
}

/** How units are committed. */
export interface Commitment {
  readonly putOff: PutOff;
  /**
   * Whether their routing is locked until the commit ends. Then no unit may be put off: what takes long to be matched is matched
   * here, turn by turn of the event loop.
   */
  readonly isRoutingLocked: boolean;
}

/**
 * Takes units back that cannot be committed now; the others of the group do not wait for them. Why:
 * - `missing`: the routing of a tenant is not at hand;
 * - `changed`: it has changed since it was read;
 * - `maybe_stale`: by it they would be refused, and it may be older than the change that lets them pass;
 * - `costly`: events of the tenant `costlyTenant` take long to be matched;
 * - `later`: this turn of the event loop was used up by matching events, mostly those of other tenants.
 */
export type PutOff = (
  units: readonly PendingUnit[],
  reason: 'missing' | 'changed' | 'maybe_stale' | 'costly' | 'later',
) => void;

type Part = readonly PendingUnit[];

/** Most deliveries of several units in one statement: a longer statement would let all of them wait. */
const MAX_GROUP_DELIVERIES = 5_000;
/** A unit that brings more deliveries than this gets a statement of its own, after those of the others. */
const HEAVY_UNIT = 1_000;
const MAX_TRIES = 6;

/**
 * Stores the units in one statement, or in several when they fan out too far. Each unit is settled as soon as its own statement ends:
 * a statement that fails takes no other's units with it. Units whose routing has to be read first are put off. Never rejects.
 */
export async function commitUnits(units: Part, options: CommitOptions, commitment: Commitment): Promise<void> {
  const part = units.filter(isAwaited);
  if (part.length === 0) return;
  let left: readonly Part[] = [];
  try {
    left = await tryToStore(part, options, commitment);
  } catch (error) {
    failAll(part, error, options);
  }
  for (const next of left) await commitUnits(next, options, commitment);
}

export const processSteadyMs = () => performance.now();
const isAwaited = ({ isExpired }: PendingUnit) => !isExpired;
const unitOf = ({ unit }: PendingUnit) => unit;

/** A part that is being stored, and what was learnt by it so far. */
interface Attempt {
  readonly part: Part;
  readonly units: readonly Unit[];
  readonly tenants: ReadonlySet<number>;
  /** Who has keys of these units already, as far as they were looked up. */
  claims: ReadonlyMap<string, ClaimedBy>;
  /** Whether all keys of the part were looked up. At first they are taken for free: the commit finds out if one is not. */
  areClaimsRead: boolean;
  tries: number;
}

/** What is to be done next with a part. */
type Step =
  | { readonly kind: 'append'; readonly plan: GroupPlan }
  /** These are to be committed one after the other; what of the part is in none of them was put off. */
  | { readonly kind: 'parts'; readonly parts: readonly Part[] }
  | { readonly kind: 'find_claims' }
  /** Matching goes on in the next turn of the event loop. */
  | { readonly kind: 'next_turn' };

const FIND_CLAIMS: Step = { kind: 'find_claims' };
const NEXT_TURN: Step = { kind: 'next_turn' };
const partsOf = (parts: readonly Part[]): Step => ({ kind: 'parts', parts });

/** Settles what it stored. @returns the parts that are to be committed apart. */
async function tryToStore(part: Part, options: CommitOptions, commitment: Commitment): Promise<readonly Part[]> {
  const claims = claimsFromWaiting(part);
  const units = part.map(unitOf);
  const attempt: Attempt = { part, units, tenants: tenantsOf(part), claims, areClaimsRead: false, tries: 1 };
  for (; ; attempt.tries++) {
    const step = planPart(attempt, options, commitment);
    if (step.kind === 'parts') return step.parts;
    if (step.kind === 'append') {
      const left = await appendPlan(attempt, step.plan, options, commitment);
      if (left !== null) return left;
      continue;
    }
    if (step.kind === 'find_claims') await findClaims(attempt, options, options.keysExpireBefore());
    else {
      await nextTurn();
      // It was not a try that failed.
      attempt.tries--;
    }
    // Some may have expired meanwhile: those are not stored.
    if (!part.every(isAwaited)) return [part];
  }
}

/** Plans a part without I/O, and puts off what cannot be planned now. */
function planPart(
  { part, units, tenants, claims, areClaimsRead }: Attempt,
  options: CommitOptions,
  { putOff, isRoutingLocked }: Commitment,
): Step {
  const { routing, steadyMs = processSteadyMs } = options;
  const { gone, matcher, missing } = routing.atHand(tenants, new TurnMeter(steadyMs));
  if (missing.size > 0) return partsOf(withoutTenants(part, missing, 'missing', putOff));
  const plan = planGroup(units, { claimed: claims, gone }, matcher);
  if (!isWhole(plan)) return isRoutingLocked ? NEXT_TURN : partsOf(withoutCostly(part, plan, putOff));
  const refusedByMaybeStale = part.filter(({ isFresh }, i) => !isFresh && isRefusedByRouting(plan.results[i]!));
  if (refusedByMaybeStale.length > 0) {
    // Only a commit checks the versions of routing, and refused units are never committed. So routing is read once more before a refusal is believed.
    routing.forget(tenantsOf(refusedByMaybeStale));
    putOff(refusedByMaybeStale, 'maybe_stale');
    return partsOf([part.filter((one) => !refusedByMaybeStale.includes(one))]);
  }
  const divided = part.length > 1 ? divide(part, plan) : null;
  if (divided !== null) return partsOf(divided);
  if (areClaimsRead || !plan.results.some(isRefusedByRouting)) return { kind: 'append', plan };
  const apart = heavyApart(part, plan);
  // What is stored already is a duplicate, whatever it would match today. So that is looked for before the unit is refused.
  return apart === null ? FIND_CLAIMS : partsOf(apart);
}

/**
 * Stores what was planned, and settles it.
 * @returns the parts that are left to be committed; null: this part is to be planned and tried again
 */
async function appendPlan(
  attempt: Attempt,
  plan: GroupPlan,
  options: CommitOptions,
  { putOff }: Commitment,
): Promise<readonly Part[] | null> {
  const { part, tries } = attempt;
  if (plan.stored.length === 0 && plan.lateClaims.length === 0) return settleAll(part, plan);
  const group = { ...groupOf(plan), keysExpireBefore: options.keysExpireBefore() };
  const result = await options.append(group).catch((error: unknown) => {
    if (tries < MAX_TRIES && options.isRetryable(error)) return { kind: 'again' as const };
    throw error;
  });
  if (result.kind === 'stored') return settleAll(part, plan);
  if (result.kind === 'routing_changed') {
    options.routing.forget(result.tenants, group.routing);
    return withoutTenants(part, new Set(result.tenants), 'changed', putOff);
  }
  if (tries >= MAX_TRIES) throw new Error(`A group commit met ${result.kind} ${tries} times in a row.`);
  if (result.kind === 'key_taken') await findClaims(attempt, options, group.keysExpireBefore);
  return null;
}

async function findClaims(attempt: Attempt, options: CommitOptions, expireBefore: string): Promise<void> {
  attempt.claims = await options.findClaims(keysOf(attempt.units), expireBefore);
  attempt.areClaimsRead = true;
}

/** Puts off the units that have events of these tenants, so that one tenant's routing holds up no other's events. @returns the others */
function withoutTenants(
  part: Part,
  tenants: ReadonlySet<number>,
  reason: 'missing' | 'changed',
  putOff: PutOff,
): readonly Part[] {
  const touching = part.filter((one) => one.touches(tenants));
  // Else the same part would be tried again, for ever.
  if (touching.length === 0) throw new Error('A group commit met a change of routing that is not its own.');
  putOff(touching, reason);
  return touching.length === part.length ? [] : [part.filter((one) => !touching.includes(one))];
}

/** Whether every unit was planned: none was left out because matching took long. */
function isWhole({ results }: GroupPlan): boolean {
  return results.every(({ kind }) => kind !== 'costly' && kind !== 'later');
}

/** Puts off the units whose events take long to be matched. @returns the others */
function withoutCostly(part: Part, { results }: GroupPlan, putOff: PutOff): readonly Part[] {
  const costly: PendingUnit[] = [];
  const later: PendingUnit[] = [];
  const others: PendingUnit[] = [];
  for (const [i, result] of results.entries()) {
    const one = part[i]!;
    if (result.kind === 'costly') {
      one.costlyTenant = result.tenantNum;
      costly.push(one);
    } else (result.kind === 'later' ? later : others).push(one);
  }
  putOff(costly, 'costly');
  // They join the next group, which is taken in a later turn of the event loop.
  putOff(later, 'later');
  return [others];
}

/** The claims that were looked for already, for units that waited in the match queue. */
function claimsFromWaiting(part: Part): ReadonlyMap<string, ClaimedBy> {
  const found = part.flatMap(({ claimed }) => (claimed === null || claimed.size === 0 ? [] : [claimed]));
  // Units whose keys were looked for together share one map.
  return found.length === 0 ? NO_CLAIMS : new Map([...new Set(found)].flatMap((claims) => [...claims]));
}

/** Whether the unit, or a message in it, is refused because of the tenants' endpoints as they are known here. */
function isRefusedByRouting(result: UnitResult | Unplanned): boolean {
  if (result.kind === 'independent') return result.items.includes('too_costly');
  return result.kind === 'too_many_deliveries' || result.kind === 'too_costly';
}

/**
 * Splits off the units that routing refuses, so that the others do not wait until it is known whether those are stored already; null where
 * there are no others.
 */
function heavyApart(part: Part, { results }: GroupPlan): readonly Part[] | null {
  if (results.every(isRefusedByRouting)) return null;
  const isHeavy = (_: PendingUnit, i: number) => isRefusedByRouting(results[i]!);
  return [part.filter((one, i) => !isHeavy(one, i)), part.filter(isHeavy)];
}

const NO_CLAIMS: ReadonlyMap<string, ClaimedBy> = new Map();

function keysOf(units: readonly Unit[]): readonly string[] {
  return units.flatMap((unit) => unit.flatMap((event) => claimsOf(event).map(({ key }) => key)));
}

/** Splits a part that is too much for one statement, or whose light units would wait for heavy ones; null: neither is so. */
function divide(part: Part, plan: GroupPlan): readonly Part[] | null {
  if (plan.deliveries <= HEAVY_UNIT) return null;
  const rows = new Map(plan.stored.map(({ event, direct }) => [event, direct.length]));
  const { light = [], heavy = [] } = Object.groupBy(part, ({ unit }) =>
    unit.reduce((sum, event) => sum + (rows.get(event) ?? 0), 0) > HEAVY_UNIT ? 'heavy' : 'light',
  );
  if (heavy.length > 0) return [light, ...heavy.map((one) => [one])];
  return plan.deliveries > MAX_GROUP_DELIVERIES ? halvesOf(part) : null;
}

function halvesOf(part: Part): readonly Part[] {
  const middle = Math.ceil(part.length / 2);
  return [part.slice(0, middle), part.slice(middle)];
}

function settleAll(part: Part, plan: GroupPlan): readonly Part[] {
  for (const [i, one] of part.entries()) one.settle(plan.results[i] as UnitResult);
  return [];
}

export function failAll(part: Part, error: unknown, { onFailure }: Pick<CommitOptions, 'onFailure'>): void {
  onFailure(
    error,
    part.reduce((sum, { unit }) => sum + unit.length, 0),
  );
  for (const one of part) one.fail(error);
}
