import type { Caller } from '../domain/caller.ts';
import { CheckBudget } from '../event-types/check-budget.ts';
import { type AcceptDependencies, type RawEvent, seal } from './accept.ts';
import type { Misfit } from './check-type.ts';
import { judgeRefused, NONE_REFUSED } from './judge-refused.ts';
import { lookAhead, lookUpOnce } from './look-ahead.ts';
import type { IndependentResult, ItemResult } from './plan-group.ts';
import { CONFLICT, REUSED_ID, type Rejection, TOO_COSTLY, UNKNOWN_TENANT } from './rejection.ts';
import { reusedIds } from './reused-ids.ts';
import type { PendingEvent } from './seal-event.ts';
import { TurnTaker } from './turn-taker.ts';
import { TypesChanged, untilTypesHold } from './until-types-hold.ts';

/** A message of a source, read as an event. What becomes of it does not depend on the others that come with it. */
export interface IndependentEvent {
  readonly raw: RawEvent;
  readonly caller: Caller;
  /** What the message is recognised by if it comes again: see `sourceKey`. */
  readonly sourceKey: string | null;
}

/**
 * Stores independent events: one that cannot be stored does not keep the others from it. They are committed in the order given, in one
 * statement unless they fan out too far. When it resolves, what was accepted is durable (G1).
 * @throws Refusal 503 when they cannot be stored. Some of them may have been stored by then
 */
export async function acceptEach(
  events: readonly IndependentEvent[],
  dependencies: AcceptDependencies,
): Promise<readonly (ItemResult | Rejection)[]> {
  return acceptPart(events, new CheckBudget(), dependencies);
}

/**
 * @param budget one for the whole batch, which counts what all of it spends. What it allows begins anew for each part and each try: none is
 *   held up by what another one cost
 */
async function acceptPart(
  events: readonly IndependentEvent[],
  budget: CheckBudget,
  dependencies: AcceptDependencies,
): Promise<readonly (ItemResult | Rejection)[]> {
  const results = await untilTypesHold(() => tryToAccept(events, budget, dependencies), dependencies.types);
  return results === 'too_many' ? acceptHalves(events, budget, dependencies) : results;
}

async function tryToAccept(
  events: readonly IndependentEvent[],
  budget: CheckBudget,
  dependencies: AcceptDependencies,
): Promise<readonly (ItemResult | Rejection)[] | TypesChanged | 'too_many'> {
  const sealed = await sealEach(events, budget, dependencies);
  const rejections = new Map(sealed.flatMap((one, at) => ('status' in one ? [[at, one]] : [])));
  const judged = rejections.size === 0 ? NONE_REFUSED : await judgeRefused(rejections, [], dependencies);
  if (judged instanceof TypesChanged) return judged;
  const result = await commit(
    sealed.flatMap((one) => ('status' in one ? [] : [one])),
    dependencies,
  );
  if (result === 'too_many' || result instanceof TypesChanged) return result;
  let at = 0;
  return sealed.map((one, place) => ('status' in one ? (judged.stored.get(place) ?? one) : resultOf(result[at++]!)));
}

interface Pending {
  readonly event: PendingEvent;
  readonly misfit: Misfit | null;
}

async function sealEach(
  events: readonly IndependentEvent[],
  budget: CheckBudget,
  given: AcceptDependencies,
): Promise<readonly (Pending | Rejection)[]> {
  const dependencies = lookUpOnce(given);
  const sealed: (Pending | Rejection)[] = [];
  const turns = new TurnTaker();
  budget.begin(events.length);
  lookAhead(
    events.flatMap(({ raw, caller }) => (caller.kind === 'tenant' ? [] : [raw])),
    dependencies,
  );
  for (const { raw, caller, sourceKey } of events) {
    const sealing = seal(raw, { caller, idempotencyKey: undefined, budget }, dependencies);
    const one = sealing instanceof Promise ? await turns.after(sealing) : sealing;
    sealed.push(ofSource(one, { key: sourceKey }));
  }
  const reused = await reusedIds(
    sealed.flatMap((one) => ('status' in one ? [] : [one.event])),
    dependencies.findGeneratedIds,
  );
  return sealed.map((one) => (!('status' in one) && reused.has(one.event) ? REUSED_ID : one));
}

function ofSource(one: Pending | Rejection, source: { readonly key: string | null }): Pending | Rejection {
  if (!('status' in one)) return { ...one, event: { ...one.event, source } };
  return one.claimant === undefined ? one : { ...one, claimant: { ...one.claimant, source } };
}

async function commit(
  pending: readonly Pending[],
  { commits, types }: AcceptDependencies,
): Promise<readonly IndependentResult[] | TypesChanged | 'too_many'> {
  if (pending.length === 0) return [];
  const result = await commits.submit(pending.map(({ event }) => event));
  if (result.kind === 'types_changed') return new TypesChanged(pending.map(({ event }) => event.tenant.num));
  if (result.kind === 'too_many_deliveries') return 'too_many';
  if (result.kind !== 'independent') throw new Error(`Messages of a source were stored as a request: ${result.kind}.`);
  for (const [at, { misfit }] of pending.entries()) {
    const item = result.items[at]!;
    if (misfit !== null && typeof item === 'object' && item.status === 'accepted') types.onMisfit(misfit);
  }
  return result.items;
}

/** Stores the two halves one after the other, so that the events stay in order. */
async function acceptHalves(
  events: readonly IndependentEvent[],
  budget: CheckBudget,
  dependencies: AcceptDependencies,
): Promise<readonly (ItemResult | Rejection)[]> {
  const middle = Math.ceil(events.length / 2);
  const first = await acceptPart(events.slice(0, middle), budget, dependencies);
  return [...first, ...(await acceptPart(events.slice(middle), budget, dependencies))];
}

function resultOf(result: IndependentResult): ItemResult | Rejection {
  switch (result) {
    case 'conflict':
      return CONFLICT;
    case 'tenant_gone':
      return UNKNOWN_TENANT;
    case 'too_costly':
      return TOO_COSTLY;
    default:
      return result;
  }
}
