import type { Caller, TenantRef } from '../domain/caller.ts';
import { Refusal } from '../domain/errors.ts';
import { newUuid } from '../domain/ids.ts';
import { CheckBudget } from '../event-types/check-budget.ts';
import type { MadeId } from '../store/made-ids.ts';
import { type CheckTypes, checkType, type Misfit, type TypeCheck } from './check-type.ts';
import { conflictsIn } from './conflicts-in.ts';
import type { GroupCommit } from './group-commit.ts';
import { judgeRefused } from './judge-refused.ts';
import { lookAhead, lookUpOnce } from './look-ahead.ts';
import { type ItemResult, MAX_UNIT_DELIVERIES, type UnitResult } from './plan-group.ts';
import { type ReadEvent, type ReadResult, readEvent } from './read-event.ts';
import {
  CONFLICT,
  invalid,
  REUSED_ID,
  type Rejection,
  refusalFor,
  TOO_COSTLY,
  tooLarge,
  UNKNOWN_TENANT,
} from './rejection.ts';
import { reusedIds } from './reused-ids.ts';
import { type PendingEvent, sealEvent } from './seal-event.ts';
import type { EventSlice } from './slice-events.ts';
import type { FindStored } from './stored-already.ts';
import { TurnTaker } from './turn-taker.ts';
import { TypesChanged, untilTypesHold } from './until-types-hold.ts';

export interface AcceptDependencies {
  readonly commits: GroupCommit;
  /** At once, where it is known. */
  readonly findTenant: (id: string) => TenantRef | null | Promise<TenantRef | null>;
  /** Postgres's clock: it decides the day that an event is kept under. */
  readonly pgNowMs: () => number;
  /** Which of these are ids that Posthorn gave to events, by index. */
  readonly findMade: (ids: readonly MadeId[]) => Promise<ReadonlySet<number>>;
  readonly findStored: FindStored;
  /** Likewise, for what is refused in any case. */
  readonly findConflicts: FindStored;
  /** As long as a producer waits. @throws Refusal 503 */
  readonly inTime: <T>(work: Promise<T>) => Promise<T>;
  readonly maxEventBytes: number;
  readonly types: CheckTypes;
}

/** One event of a request: what `JSON.parse` made of it, and its own text. */
export interface RawEvent {
  readonly value: unknown;
  readonly text: string;
  /** Of the text, where somebody counted. */
  readonly bytes?: number | undefined;
  /** The text, cut up, where it could be. */
  readonly slice?: EventSlice;
  /** What was made of it already, where its text is not an event's. */
  readonly read?: ReadResult;
  /** Why nothing needs to be read of it. */
  readonly rejection?: Rejection;
}

export interface AcceptOptions {
  readonly isBatch: boolean;
  readonly caller: Caller;
  readonly idempotencyKey: string | undefined;
}

export interface Sealed {
  readonly event: PendingEvent;
  readonly misfit: Misfit | null;
}

/**
 * The one way in. Stores the events of one request, all or nothing; when it resolves they are durable (G1). What is stored already is a
 * duplicate, whatever its type says by now.
 * @throws Refusal 404, 409, 413 or 422 for a single event, 422 naming each bad index for a batch and 413 for
 * one whose deliveries take too much, 503 when they cannot be stored.
 */
export async function acceptEvents(
  raw: readonly RawEvent[],
  options: AcceptOptions,
  dependencies: AcceptDependencies,
): Promise<readonly ItemResult[]> {
  const budget = new CheckBudget();
  return untilTypesHold(() => tryToAccept(raw, { ...options, budget }, dependencies), dependencies.types);
}

async function tryToAccept(
  raw: readonly RawEvent[],
  options: TryOptions,
  dependencies: AcceptDependencies,
): Promise<readonly ItemResult[] | TypesChanged> {
  const { pending, rejections, misfits } = await sealAll(raw, options, dependencies);
  if (rejections.size === 0) return store(pending, misfits, (at) => at, options, dependencies);
  const judged = await judgeRefused(rejections, dependencies);
  if (judged instanceof TypesChanged) return judged;
  const { stored, refused } = judged;
  const places = [...raw.keys()].filter((place) => !rejections.has(place));
  if (refused.size > 0) throw await refusalOf(refused, pending, (at) => places[at]!, options, dependencies);
  const items = await store(pending, misfits, (at) => places[at]!, options, dependencies);
  if (items instanceof TypesChanged) return items;
  let at = 0;
  return raw.map((_, place) => stored.get(place) ?? items[at++]!);
}

/** @param placeOf the place in the request of the event that is here the nth */
async function store(
  pending: readonly PendingEvent[],
  misfits: Misfits,
  placeOf: (at: number) => number,
  options: AcceptOptions,
  dependencies: AcceptDependencies,
): Promise<readonly ItemResult[] | TypesChanged> {
  if (pending.length === 0) return [];
  const { commits, types, findMade } = dependencies;
  const reused = await reusedIds(pending, findMade);
  if (reused.size > 0) {
    const places = pending.flatMap((event, at) => (reused.has(event) ? [placeOf(at)] : []));
    const refused = new Map(places.map((place) => [place, REUSED_ID]));
    throw await refusalOf(refused, pending, placeOf, options, dependencies);
  }
  const result = await commits.submit(pending);
  if (result.kind === 'types_changed') return new TypesChanged(pending.map(({ tenant }) => tenant.num));
  const items = itemsOf(result, placeOf, options.isBatch);
  for (const [at, misfit] of misfits) if (items[at]!.status === 'accepted') types.onMisfit(misfit);
  return items;
}

/** Of a batch it names every event that cannot be taken, with those that would only have been found out when it was stored. */
async function refusalOf(
  refused: ReadonlyMap<number, Rejection>,
  pending: readonly PendingEvent[],
  placeOf: (at: number) => number,
  { isBatch }: AcceptOptions,
  dependencies: AcceptDependencies,
): Promise<Refusal> {
  if (!isBatch) return refusalFor(refused, isBatch);
  // Where that cannot be told now, what is known is told: the batch would be no better for another try.
  const conflicts = await dependencies.inTime(conflictsIn(pending, dependencies)).catch(() => NONE);
  const all = [...refused, ...[...conflicts].map(([at, rejection]) => [placeOf(at), rejection] as const)];
  return refusalFor(new Map(all.sort(([one], [other]) => one - other)), isBatch);
}

const NONE: ReadonlyMap<number, Rejection> = new Map();

/** By the place among the events that are to be stored. */
type Misfits = ReadonlyMap<number, Misfit>;

interface SealedAll {
  readonly pending: readonly PendingEvent[];
  /** By the place in the request. */
  readonly rejections: ReadonlyMap<number, Rejection>;
  readonly misfits: Misfits;
}

async function sealAll(raw: readonly RawEvent[], options: TryOptions, given: AcceptDependencies): Promise<SealedAll> {
  const dependencies = lookUpOnce(given);
  const pending: PendingEvent[] = [];
  const rejections = new Map<number, Rejection>();
  const misfits = new Map<number, Misfit>();
  const turns = new TurnTaker();
  options.budget.begin();
  let looksAhead = options.caller.kind !== 'tenant';
  for (const [index, each] of raw.entries()) {
    const check = seal(each, options, dependencies);
    if (looksAhead && check instanceof Promise) {
      looksAhead = false;
      lookAhead(raw.slice(index + 1), dependencies);
    }
    // Nearly always all is known: a turn of the queue for each event would cost as much as its checks.
    const sealed = check instanceof Promise ? await turns.after(check) : check;
    if ('status' in sealed) rejections.set(index, sealed);
    else {
      if (sealed.misfit !== null) misfits.set(pending.length, sealed.misfit);
      pending.push(sealed.event);
    }
  }
  return { pending, rejections, misfits };
}

function itemsOf(
  result: Exclude<UnitResult, { kind: 'types_changed' }>,
  placeOf: (at: number) => number,
  isBatch: boolean,
): readonly ItemResult[] {
  switch (result.kind) {
    case 'accepted':
      return result.items;
    case 'conflict':
      throw refusalFor(new Map(result.indexes.map((at) => [placeOf(at), CONFLICT])), isBatch);
    case 'tenant_gone':
      throw refusalFor(new Map(result.indexes.map((at) => [placeOf(at), UNKNOWN_TENANT])), isBatch);
    case 'too_costly':
      throw refusalFor(new Map([[placeOf(result.index), TOO_COSTLY]]), isBatch);
    case 'too_many_deliveries':
      throw fanOutTooLarge(result.weight);
    case 'independent':
      throw new Error('A request was stored as if it were messages of a source.');
  }
}

function fanOutTooLarge(weight: number): Refusal {
  return new Refusal(
    413,
    'fan_out_too_large',
    `Nothing was stored: storing the batch would take as much as ${weight} deliveries that are written at once (one that a worker writes later takes a part of that); at most ${MAX_UNIT_DELIVERIES} are taken. Split the batch.`,
  );
}

interface TryOptions extends AcceptOptions {
  readonly budget: CheckBudget;
}

type SealOptions = Omit<TryOptions, 'isBatch'>;

type Maybe = Sealed | Rejection;

/** An event in its final bytes, or why it is none; a promise where something has to be looked up first. */
export function seal(
  { value, text, slice, read: known, rejection }: RawEvent,
  options: SealOptions,
  dependencies: AcceptDependencies,
): Maybe | Promise<Maybe> {
  if (rejection !== undefined) return rejection;
  const read = known ?? readEvent(value, text, slice);
  if (!read.ok) return invalid('The event is not valid.', read.faults);
  const { event } = read;
  const tenant = tenantOf(event, options.caller, dependencies.findTenant);
  if (tenant instanceof Promise) return tenant.then((found) => sealFor(event, found, options, dependencies));
  return sealFor(event, tenant, options, dependencies);
}

function sealFor(
  event: ReadEvent,
  tenant: TenantRef | Rejection,
  { idempotencyKey, budget }: SealOptions,
  { pgNowMs, maxEventBytes, types }: AcceptDependencies,
): Maybe | Promise<Maybe> {
  if ('status' in tenant) return tenant;
  const now = pgNowMs();
  const sealed = sealEvent(event, tenant, newUuid(now), now, idempotencyKey);
  if (sealed.body.length > maxEventBytes)
    return tooLarge(`${sealed.body.length} bytes as it would be delivered`, maxEventBytes);
  const check = checkType(event, tenant, types, budget);
  return check instanceof Promise ? check.then((checked) => judge(sealed, checked)) : judge(sealed, check);
}

function judge(event: PendingEvent, { faults, rulesVersion, misfit }: TypeCheck): Maybe {
  if (faults.length === 0) {
    event.rulesVersion = rulesVersion;
    return { event, misfit };
  }
  const refused = invalid('The event is not what the schema of its type says.', faults);
  // Not the event itself: nothing of its body is kept until it has been looked for.
  const { tenant, keys, bodyHash } = event;
  return { ...refused, rules: [tenant.num, rulesVersion], claimant: { tenant, keys, bodyHash } };
}

function tenantOf(
  event: ReadEvent,
  caller: Caller,
  findTenant: AcceptDependencies['findTenant'],
): TenantRef | Rejection | Promise<TenantRef | Rejection> {
  const named = event.input.tenant_id;
  if (caller.kind === 'tenant')
    return named === undefined || named === caller.tenant.id ? caller.tenant : UNKNOWN_TENANT;
  if (named === undefined) {
    const path = event.tenantField ?? 'tenant_id';
    return invalid('The event names no tenant.', [
      { path, message: 'required: neither the key nor the source has a tenant of its own' },
    ]);
  }
  const found = findTenant(named);
  return found instanceof Promise ? found.then((tenant) => tenant ?? UNKNOWN_TENANT) : (found ?? UNKNOWN_TENANT);
}
