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
import { typesChangedSince } from './types-changed-since.ts';
import { TypesChanged, untilTypesHold } from './until-types-hold.ts';

export interface AcceptDependencies {
  readonly commits: GroupCommit;
  /** From memory where it is known, else it is read. May be stale: the commit notices that the tenant was deleted. */
  readonly recallTenant: (id: string) => TenantRef | null | Promise<TenantRef | null>;
  /** Postgres's clock: it decides the day that an event is kept under. */
  readonly pgNowMs: () => number;
  /** Which of these ids Posthorn itself has given to events. @returns their indexes */
  readonly findGeneratedIds: (ids: readonly MadeId[]) => Promise<ReadonlySet<number>>;
  readonly findStored: FindStored;
  /** Does the same for events that are refused in any case, so that the others do not wait for these. */
  readonly findConflicts: FindStored;
  /** Waits for this no longer than a producer waits for its answer. @throws Refusal 503 */
  readonly withinDeadline: <T>(work: Promise<T>) => Promise<T>;
  readonly maxEventBytes: number;
  readonly types: CheckTypes;
}

/** One event of a request: what `JSON.parse` made of it, and its own text. */
export interface RawEvent {
  readonly value: unknown;
  readonly text: string;
  /** Bytes of `text`, where somebody has counted them. */
  readonly bytes?: number | undefined;
  /** The members of it that are kept as they were written, where the text of the request could be cut up. */
  readonly slice?: EventSlice;
  /** What it was read as already, where `text` is not that of an event: a CloudEvent, or a message that was mapped. */
  readonly read?: ReadResult;
  /** Why it is refused without being read. */
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
 * Stores the events of one request, all or none of them: what producers post comes in here. When it resolves they are durable
 * (G1). An event that is stored already is a duplicate, even if the schema of its type would refuse it by now.
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
  if (rejections.size === 0) return store(pending, misfits, (pendingIndex) => pendingIndex, options, dependencies);
  const judged = await judgeRefused(rejections, pending, dependencies);
  if (judged instanceof TypesChanged) return judged;
  const { stored, refused } = judged;
  const requestIndexes = [...raw.keys()].filter((index) => !rejections.has(index));
  const requestIndexOf: RequestIndexOf = (pendingIndex) => requestIndexes[pendingIndex]!;
  if (refused.size > 0) throw await refusalOf(refused, pending, requestIndexOf, options, dependencies);
  const items = await store(pending, misfits, requestIndexOf, options, dependencies);
  if (items instanceof TypesChanged) return items;
  let at = 0;
  return raw.map((_, index) => stored.get(index) ?? items[at++]!);
}

/** From the index of an event among the pending ones to its index in the request, which the producer is told. */
type RequestIndexOf = (pendingIndex: number) => number;

async function store(
  pending: readonly PendingEvent[],
  misfits: Misfits,
  requestIndexOf: RequestIndexOf,
  options: AcceptOptions,
  dependencies: AcceptDependencies,
): Promise<readonly ItemResult[] | TypesChanged> {
  if (pending.length === 0) return [];
  const { commits, types, findGeneratedIds } = dependencies;
  const reused = await reusedIds(pending, findGeneratedIds);
  if (reused.size > 0) {
    const indexes = pending.flatMap((event, at) => (reused.has(event) ? [requestIndexOf(at)] : []));
    const refused = new Map(indexes.map((index) => [index, REUSED_ID]));
    const changed = options.isBatch ? await typesChangedSince(pending, dependencies) : null;
    if (changed !== null) return changed;
    throw await refusalOf(refused, pending, requestIndexOf, options, dependencies);
  }
  const result = await commits.submit(pending);
  if (result.kind === 'types_changed') return new TypesChanged(pending.map(({ tenant }) => tenant.num));
  const changed = options.isBatch && result.kind !== 'accepted' ? await typesChangedSince(pending, dependencies) : null;
  if (changed !== null) return changed;
  const items = itemsOf(result, requestIndexOf, options.isBatch);
  for (const [at, misfit] of misfits) if (items[at]!.status === 'accepted') types.onMisfit(misfit);
  return items;
}

/** For a batch it names every event that cannot be taken, also those that only storing it would have found. */
async function refusalOf(
  refused: ReadonlyMap<number, Rejection>,
  pending: readonly PendingEvent[],
  requestIndexOf: RequestIndexOf,
  { isBatch }: AcceptOptions,
  dependencies: AcceptDependencies,
): Promise<Refusal> {
  if (!isBatch) return refusalFor(refused, isBatch);
  // If the conflicts cannot be looked up now, the known faults are told: another try of the batch would fail by them anyway.
  const conflicts = await dependencies.withinDeadline(conflictsIn(pending, dependencies)).catch(() => NONE);
  const all = [...refused, ...[...conflicts].map(([at, rejection]) => [requestIndexOf(at), rejection] as const)];
  return refusalFor(new Map(all.sort(([one], [other]) => one - other)), isBatch);
}

const NONE: ReadonlyMap<number, Rejection> = new Map();

/** By the index among the pending events. */
type Misfits = ReadonlyMap<number, Misfit>;

interface SealedAll {
  readonly pending: readonly PendingEvent[];
  /** By the index in the request. */
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
    // Awaits only a promise. Nearly always everything is known, and to await each event would cost as much as its checks.
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
  requestIndexOf: RequestIndexOf,
  isBatch: boolean,
): readonly ItemResult[] {
  switch (result.kind) {
    case 'accepted':
      return result.items;
    case 'conflict':
      throw refusalFor(new Map(result.indexes.map((at) => [requestIndexOf(at), CONFLICT])), isBatch);
    case 'tenant_gone':
      throw refusalFor(new Map(result.indexes.map((at) => [requestIndexOf(at), UNKNOWN_TENANT])), isBatch);
    case 'too_costly':
      throw refusalFor(new Map([[requestIndexOf(result.index), TOO_COSTLY]]), isBatch);
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

/** Brings an event into its final bytes, or says why it is none. @returns a promise only where something has to be looked up first */
export function seal(
  { value, text, slice, read: known, rejection }: RawEvent,
  options: SealOptions,
  dependencies: AcceptDependencies,
): Maybe | Promise<Maybe> {
  if (rejection !== undefined) return rejection;
  const read = known ?? readEvent(value, text, slice);
  if (!read.ok) return invalid('The event is not valid.', read.faults);
  const { event } = read;
  const tenant = tenantOf(event, options.caller, dependencies.recallTenant);
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
  // Only what the look for its keys needs: the body of a refused event is not kept in memory until then.
  const { tenant, keys, bodyHash } = event;
  const former = event.formerHash?.();
  const formerHash = former === undefined ? undefined : () => former;
  return { ...refused, rules: [tenant.num, rulesVersion], claimant: { tenant, keys, bodyHash, formerHash } };
}

function tenantOf(
  event: ReadEvent,
  caller: Caller,
  recallTenant: AcceptDependencies['recallTenant'],
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
  const found = recallTenant(named);
  return found instanceof Promise ? found.then((tenant) => tenant ?? UNKNOWN_TENANT) : (found ?? UNKNOWN_TENANT);
}
