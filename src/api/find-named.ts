import type { Context } from '../context.ts';
import type { TenantRef } from '../domain/caller.ts';
import { type Fault, Refusal } from '../domain/errors.ts';
import { type EndpointRef, findEndpointRef } from '../store/endpoint-refs.ts';
import { findEventUuid, findEventUuids } from '../store/event-reads.ts';

type Pool = Context['apiPool'];

/** A body that says what cannot be done. */
export function invalidBody(faults: readonly Fault[]): Refusal {
  return new Refusal(422, 'invalid', 'The body is not valid.', { faults });
}

/**
 * The endpoint that a body names as `endpoint_id`, deleted or not.
 * @throws Refusal 422 when the tenant never had it
 */
export async function namedEndpoint(pool: Pool, tenant: TenantRef, id: string): Promise<EndpointRef> {
  const endpoint = id.includes('\u0000') ? null : await findEndpointRef(pool, tenant.num, id);
  return endpoint ?? refuse('endpoint_id', 'no such endpoint');
}

/**
 * The UUID of the event that a body names as `event_id`.
 * @throws Refusal 422 when the tenant does not have it
 */
export async function namedEvent(pool: Pool, tenant: TenantRef, id: string): Promise<string> {
  return (await findEventUuid(pool, tenant.num, id)) ?? refuse('event_id', 'no such event');
}

/**
 * The UUIDs of the events that a body names as `event_ids`, each once, rising.
 * @throws Refusal 422 naming each that the tenant does not have
 */
export async function namedEvents(pool: Pool, tenant: TenantRef, ids: readonly string[]): Promise<readonly string[]> {
  const found = await findEventUuids(pool, tenant.num, ids);
  const unknown = ids.flatMap((id, i) => (found.has(id) ? [] : [{ path: `event_ids.${i}`, message: 'no such event' }]));
  if (unknown.length > 0) throw invalidBody(unknown);
  return [...new Set(found.values())].sort();
}

function refuse(path: string, message: string): never {
  throw invalidBody([{ path, message }]);
}
