import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ClaimedBy } from '../store/claims.ts';
import type { AppendGroup, AppendResult } from '../store/event-log.ts';
import { TurnMeter } from './match-meter.ts';
import { type PendingUnit, tenantsOf } from './pending-unit.ts';
import { type GroupPlan, groupOf, planGroup, type Unit, type UnitResult, type Unplanned } from './plan-group.ts';
import type { RoutingCache } from './routing-cache.ts';
import { claimsOf } from './seal-event.ts';

export interface CommitOptions {
  /** Stores a group, and sees to what follows from that. */
  readonly append: (group: AppendGroup) => Promise<AppendResult>;
  readonly findClaims: (keys: readonly string[], expireBefore: string) => Promise<ReadonlyMap<string, ClaimedBy>>;
  /** Serialization failures and deadlocks: the same group may be tried again at once. */
  readonly isRetryable: (error: unknown) => boolean;
  readonly routing: RoutingCache;
  readonly onFailure: (error: unknown, events: number) => void;
  /** Events older than this UUID have lost their claims. */
  readonly keysExpireBefore: () => string;
  /** A clock that never steps back; the process's without it. */
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
 * Takes units back that cannot be committed before routing was read: it is not at hand, it has changed, or it would refuse them and may be stale; or before their events were matched, which takes long. Nothing of the group waits for them.
 */
export type PutOff = (
  units: readonly PendingUnit[],
  reason: 'missing' | 'changed' | 'doubted' | 'costly' | 'later',
) => void;

type Part = readonly PendingUnit[];

/** Deliveries of several units in one statement: a longer one would let all of them wait. */
const MAX_GROUP_DELIVERIES = 5_000;
/** A unit that brings more than this has a statement of its own, after the others'. */
const HEAVY_UNIT = 1_000;
const MAX_TRIES = 6;
/**
 * Stores the units in one statement, or in several when they fan out too far. Each unit is settled as soon as its own statement ends, so that one that fails takes no
 * other with it; those whose routing has to be read first are put off, and the others do not wait for that. Never rejects.
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

/** Settles what it stored. @returns the parts that are to be committed apart. */
async function tryToStore(
  part: Part,
  options: CommitOptions,
  { putOff, isRoutingLocked }: Commitment,
): Promise<readonly Part[]> {
  const { routing, steadyMs = processSteadyMs } = options;
  const units = part.map(unitOf);
  const tenants = tenantsOf(part);
  let claimed: ReadonlyMap<string, ClaimedBy> | null = null;
  const known = claimedOf(part);
  for (let tries = 1; ; tries++) {
    const { gone, matcher, missing } = routing.atHand(tenants, new TurnMeter(steadyMs));
    if (missing.size > 0) return withoutTenants(part, missing, 'missing', putOff);
    const plan = planGroup(units, { claimed: claimed ?? known, gone }, matcher);
    if (!isWhole(plan)) {
      if (!isRoutingLocked) return withoutCostly(part, plan, putOff);
      await nextTurn();
      if (!part.every(isAwaited)) return [part];
      tries--;
      continue;
    }
    const doubted = part.filter(({ isFresh }, i) => !isFresh && isRefusedByRouting(plan.results[i]!));
    if (doubted.length > 0) {
      // The commit checks the routing only of what it stores: without this, a stale routing would refuse batches for ever.
      routing.forget(tenantsOf(doubted));
      putOff(doubted, 'doubted');
      return [part.filter((one) => !doubted.includes(one))];
    }
    const parts = part.length > 1 ? divide(part, plan) : null;
    if (parts !== null) return parts;
    if (claimed === null && plan.results.some(isRefusedByRouting)) {
      const heavy = heavyApart(part, plan);
      if (heavy !== null) return heavy;
      // Of what is stored already nothing is written, nor is it matched, whatever endpoints there are by now.
      claimed = await options.findClaims(keysOf(units), options.keysExpireBefore());
      if (!part.every(isAwaited)) return [part];
      continue;
    }
    if (plan.stored.length === 0 && plan.lateClaims.length === 0) return settleAll(part, plan);
    const group = { ...groupOf(plan), keysExpireBefore: options.keysExpireBefore() };
    const result = await options.append(group).catch((error: unknown) => {
      if (tries < MAX_TRIES && options.isRetryable(error)) return { kind: 'again' as const };
      throw error;
    });
    if (result.kind === 'stored') return settleAll(part, plan);
    if (result.kind === 'routing_changed') {
      routing.forget(result.tenants, group.routing);
      return withoutTenants(part, new Set(result.tenants), 'changed', putOff);
    }
    if (tries >= MAX_TRIES) throw new Error(`A group commit met ${result.kind} ${tries} times in a row.`);
    if (result.kind === 'key_taken') {
      claimed = await options.findClaims(keysOf(units), group.keysExpireBefore);
    }
  }
}

/** Puts off the units that touch these tenants, so that one tenant's routing costs no other its events. @returns the others */
function withoutTenants(
  part: Part,
  tenants: ReadonlySet<number>,
  reason: 'missing' | 'changed',
  putOff: PutOff,
): readonly Part[] {
  const touching = part.filter((one) => one.touches(tenants));
  // Tenants that none of the units has would leave the same part again, for ever.
  if (touching.length === 0) throw new Error('A group commit met a change of routing that is not its own.');
  putOff(touching, reason);
  return touching.length === part.length ? [] : [part.filter((one) => !touching.includes(one))];
}

/** Whether all could be planned: nothing took long to be matched. */
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
  // Others have the event loop before these are planned.
  putOff(later, 'later');
  return [others];
}

/** What was looked for already, for units that waited until they were matched. */
function claimedOf(part: Part): ReadonlyMap<string, ClaimedBy> {
  const known = part.flatMap(({ claimed }) => (claimed === null || claimed.size === 0 ? [] : [claimed]));
  // Units whose keys were looked for together share what was found.
  return known.length === 0 ? NO_CLAIMS : new Map([...new Set(known)].flatMap((claims) => [...claims]));
}

/** Whether it is because of the tenants' endpoints, as they are known here, that the unit, or a message in it, is not stored. */
function isRefusedByRouting(result: UnitResult | Unplanned): boolean {
  if (result.kind === 'independent') return result.items.includes('too_costly');
  return result.kind === 'too_many_deliveries' || result.kind === 'too_costly';
}

/** Units that would take too much, or have events that do, after the others, which do not wait until it is known whether they are stored already; null where there are no others. */
function heavyApart(part: Part, { results }: GroupPlan): readonly Part[] | null {
  if (results.every(isRefusedByRouting)) return null;
  const isHeavy = (_: PendingUnit, i: number) => isRefusedByRouting(results[i]!);
  return [part.filter((one, i) => !isHeavy(one, i)), part.filter(isHeavy)];
}

const NO_CLAIMS: ReadonlyMap<string, ClaimedBy> = new Map();

function keysOf(units: readonly Unit[]): readonly string[] {
  return units.flatMap((unit) => unit.flatMap((event) => claimsOf(event).map(({ key }) => key)));
}

/** What is too much for one statement, or would let light units wait for heavy ones, is to be stored in parts; null when nothing is. */
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
