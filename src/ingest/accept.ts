import { type Fault, Refusal } from '../domain/errors.ts';
import { newUuid } from '../domain/ids.ts';
import type { Caller, TenantRef } from '../domain/scope.ts';
import type { GroupCommit } from './group-commit.ts';
import { type ItemResult, MAX_UNIT_DELIVERIES } from './plan-group.ts';
import { type ReadEvent, readEvent } from './read-event.ts';
import { type PendingEvent, sealEvent } from './seal-event.ts';

export interface AcceptDependencies {
  readonly commits: GroupCommit;
  readonly findTenant: (id: string) => Promise<TenantRef | null>;
  /** Postgres's clock: it decides the day that an event is kept under. */
  readonly nowMs: () => number;
  readonly maxEventBytes: number;
}

/** One event of a request: what `JSON.parse` made of it, and its own text. */
export interface RawEvent {
  readonly value: unknown;
  readonly text: string;
}

/** A refusal of one event, before it is known whether it came alone or in a batch. */
interface Rejection {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly faults: readonly Fault[];
}

/**
 * The one way in. Stores the events of one request, all or nothing; when it resolves they are durable (G1).
 * @throws Refusal 404, 409, 413 or 422 for a single event, 422 naming each bad index for a batch and 413 for
 * one that makes too many deliveries, 503 when they cannot be stored.
 */
export async function acceptEvents(
  raw: readonly RawEvent[],
  options: { readonly isBatch: boolean; readonly caller: Caller; readonly idempotencyKey: string | undefined },
  dependencies: AcceptDependencies,
): Promise<readonly ItemResult[]> {
  const rejections = new Map<number, Rejection>();
  const pending: PendingEvent[] = [];
  for (const [index, { value, text }] of raw.entries()) {
    const sealed = await seal(value, text, options, dependencies);
    if ('publicId' in sealed) pending.push(sealed);
    else rejections.set(index, sealed);
  }
  if (rejections.size > 0) throw refusalFor(rejections, options.isBatch);
  const result = await dependencies.commits.submit(pending);
  switch (result.kind) {
    case 'accepted':
      return result.items;
    case 'conflict':
      throw refusalFor(new Map(result.indexes.map((index) => [index, CONFLICT])), options.isBatch);
    case 'tenant_gone':
      throw refusalFor(new Map(result.indexes.map((index) => [index, UNKNOWN_TENANT])), options.isBatch);
    case 'too_many_deliveries':
      throw fanOutTooLarge(result.deliveries);
  }
}

function fanOutTooLarge(deliveries: number): Refusal {
  return new Refusal(
    413,
    'fan_out_too_large',
    `Nothing was stored: the batch would make ${deliveries} deliveries; at most ${MAX_UNIT_DELIVERIES} are taken at once. Split the batch.`,
  );
}

const UNKNOWN_TENANT: Rejection = {
  status: 404,
  code: 'tenant_not_found',
  detail: 'The tenant does not exist.',
  faults: [{ path: 'tenant_id', message: 'no such tenant' }],
};

const CONFLICT: Rejection = {
  status: 409,
  code: 'idempotency_conflict',
  detail: 'The idempotency key or id belongs to an event with another body.',
  faults: [{ path: '', message: 'the idempotency key or id belongs to an event with another body' }],
};

async function seal(
  value: unknown,
  text: string,
  { caller, idempotencyKey }: { caller: Caller; idempotencyKey: string | undefined },
  { findTenant, nowMs, maxEventBytes }: AcceptDependencies,
): Promise<PendingEvent | Rejection> {
  const read = readEvent(value, text);
  if (!read.ok) return invalid('The event is not valid.', read.faults);
  const tenant = await tenantOf(read.event, caller, findTenant);
  if ('status' in tenant) return tenant;
  const now = nowMs();
  const event = sealEvent(read.event, tenant, newUuid(now), now, idempotencyKey);
  if (event.body.length <= maxEventBytes) return event;
  const detail = `The event has ${event.body.length} bytes as it would be delivered; at most ${maxEventBytes} are taken.`;
  return { status: 413, code: 'too_large', detail, faults: [{ path: '', message: detail }] };
}

async function tenantOf(
  event: ReadEvent,
  caller: Caller,
  findTenant: AcceptDependencies['findTenant'],
): Promise<TenantRef | Rejection> {
  const named = event.input.tenant_id;
  if (caller.kind === 'tenant')
    return named === undefined || named === caller.tenant.id ? caller.tenant : UNKNOWN_TENANT;
  if (named === undefined) {
    return invalid('The event names no tenant.', [{ path: 'tenant_id', message: 'required with an operator key' }]);
  }
  return (await findTenant(named)) ?? UNKNOWN_TENANT;
}

function invalid(detail: string, faults: readonly Fault[]): Rejection {
  return { status: 422, code: 'invalid_event', detail, faults };
}

function refusalFor(rejections: ReadonlyMap<number, Rejection>, isBatch: boolean): Refusal {
  const [first] = rejections.values();
  if (!isBatch) return new Refusal(first!.status, first!.code, first!.detail, { faults: first!.faults });
  const faults = [...rejections].flatMap(([index, rejection]) =>
    rejection.faults.map(({ path, message }) => ({ path: path === '' ? String(index) : `${index}.${path}`, message })),
  );
  return new Refusal(
    422,
    'invalid_batch',
    `Nothing was stored: ${rejections.size} of the events in the batch cannot be taken.`,
    {
      faults: faults.slice(0, MAX_FAULTS),
    },
  );
}

const MAX_FAULTS = 1_000;
