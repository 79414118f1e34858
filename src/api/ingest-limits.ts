import type { Request, Response } from 'express';
import type { Context } from '../context.ts';
import type { Caller, TenantRef } from '../domain/caller.ts';
import type { RawEvent } from '../ingest/accept.ts';
import type { ItemResult } from '../ingest/plan-group.ts';
import type { LimitVerdict, TenantCost } from '../ingest/tenant-limiter.ts';

type LimitContext = Pick<Context, 'ingestLimits' | 'recallTenant'>;

/**
 * Refuses, before the body is read, what the tenant may not send now. For an operator nothing is checked: only the body tells whose its events
 * are. How many events there are is not known either: it counts as one, so that `Retry-After` makes no single event wait for the events of
 * a batch. A batch is told how long its own take once that is over and it is read.
 * @throws Refusal 413 or 429
 */
export async function checkLimits(
  request: Request,
  response: Response,
  caller: Caller,
  { ingestLimits }: LimitContext,
): Promise<void> {
  if (caller.kind !== 'tenant') return;
  const bytes = Number(request.headers['content-length'] ?? 0);
  answer(await ingestLimits.peek(caller.tenant, { events: 1, bytes }), response);
}

/**
 * Charges the tenants of a request for their events: all of them, or none if one may not send them.
 * @returns the tenant of each event; null where it is unknown, which is refused later
 * @throws Refusal 413 or 429
 */
export async function chargeLimits(
  events: readonly RawEvent[],
  bodyBytes: number,
  response: Response,
  caller: Caller,
  { ingestLimits, recallTenant }: LimitContext,
): Promise<readonly (TenantRef | null)[]> {
  const owners = await ownersOf(events, caller, recallTenant);
  answer(await ingestLimits.charge(costsOf(events, owners, bodyBytes)), response);
  return owners;
}

/**
 * Charges a tenant for a body that holds no events to store, as for one event, as far as it has so much left. For an operator's body nobody is
 * charged: it names no tenant.
 */
export async function chargeBody(
  bytes: number,
  response: Response,
  caller: Caller,
  { ingestLimits }: LimitContext,
): Promise<void> {
  if (caller.kind === 'tenant')
    setHeaders(response, await ingestLimits.drain({ tenant: caller.tenant, events: 1, bytes }));
}

/** Counts the deliveries that were stored as waiting ones of their tenants. */
export function countAccepted(
  items: readonly ItemResult[],
  owners: readonly (TenantRef | null)[],
  { ingestLimits }: LimitContext,
): void {
  for (const [i, { status, deliveries }] of items.entries()) {
    const owner = owners[i];
    if (status === 'accepted' && owner) ingestLimits.accepted(owner, deliveries);
  }
}

function answer({ refusal, headers }: LimitVerdict, response: Response): void {
  setHeaders(response, headers);
  if (refusal !== null) throw refusal;
}

function setHeaders(response: Response, headers: LimitVerdict['headers']): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}

async function ownersOf(
  events: readonly RawEvent[],
  caller: Caller,
  recallTenant: Context['recallTenant'],
): Promise<readonly (TenantRef | null)[]> {
  if (caller.kind === 'tenant') return events.map(() => caller.tenant);
  const owners = events.map(({ value }) => {
    const id = (value as { tenant_id?: unknown } | null)?.tenant_id;
    return typeof id === 'string' ? recallTenant(id) : null;
  });
  // Looked up all at once: one after the other they would take a statement each.
  return owners.every(isKnown) ? owners : Promise.all(owners);
}

const isKnown = (owner: TenantRef | null | Promise<TenantRef | null>): owner is TenantRef | null =>
  !(owner instanceof Promise);

function costsOf(
  events: readonly RawEvent[],
  owners: readonly (TenantRef | null)[],
  bodyBytes: number,
): readonly TenantCost[] {
  const [first] = owners;
  if (first && owners.every((owner) => owner?.num === first.num)) {
    return [{ tenant: first, events: events.length, bytes: bodyBytes }];
  }
  const costs = new Map<number, TenantCost>();
  for (const [i, owner] of owners.entries()) {
    if (owner === null) continue;
    const { events: count, bytes } = costs.get(owner.num) ?? { events: 0, bytes: 0 };
    costs.set(owner.num, {
      tenant: owner,
      events: count + 1,
      bytes: bytes + (events[i]!.bytes ?? Buffer.byteLength(events[i]!.text)),
    });
  }
  return [...costs.values()];
}
