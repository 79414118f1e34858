import type { TenantRef } from '../domain/caller.ts';
import type { AcceptDependencies, RawEvent } from './accept.ts';

/**
 * Begins to look up the tenants that these events name, and their event types, all at once: one after the other, events of a thousand
 * tenants that are not in memory would wait for as many statements. Whoever then needs one waits for it as usual, and meets its error.
 */
export function lookAhead(
  events: Iterable<RawEvent>,
  { recallTenant, types }: Pick<AcceptDependencies, 'recallTenant' | 'types'>,
): void {
  const begin = (num: number | undefined) => num !== undefined && types.rules.begin(num);
  for (const id of tenantsOf(events)) {
    const found = recallTenant(id);
    if (found instanceof Promise) found.then((tenant) => begin(tenant?.num)).catch(() => {});
    else begin(found?.num);
  }
}

/** @returns dependencies for the events of one request, by which a tenant that is not in memory is looked up once, however many events name it */
export function lookUpOnce<T extends Pick<AcceptDependencies, 'recallTenant'>>(dependencies: T): T {
  const looked = new Map<string, Promise<TenantRef | null>>();
  const recallTenant = (id: string) => {
    const before = looked.get(id);
    if (before !== undefined) return before;
    const found = dependencies.recallTenant(id);
    if (found instanceof Promise) looked.set(id, found);
    return found;
  };
  return { ...dependencies, recallTenant };
}

function tenantsOf(events: Iterable<RawEvent>): Set<string> {
  const ids = new Set<string>();
  for (const { value, read } of events) {
    const id =
      read === undefined ? (value as { tenant_id?: unknown } | null)?.tenant_id : read.ok && read.event.input.tenant_id;
    if (typeof id === 'string') ids.add(id);
  }
  return ids;
}
