import { type LookupLimits, shareLookups } from './share-lookups.ts';

export interface TenantLoads<T, Known extends readonly unknown[]> {
  /** Of several tenants in one statement; only says so of one that has much. Absent: there is nothing of it. */
  readonly light: (tenantNums: readonly number[]) => Promise<ReadonlyMap<number, T | 'large'>>;
  /** Of one tenant, however long it takes. */
  readonly whole: (tenantNum: number, ...known: Known) => Promise<T | null>;
}

/**
 * Lets reads of what events are judged by share statements: events of a thousand tenants that are not in memory would else wait for a thousand of them, one after the other.
 * A tenant that has much is read by itself, so that no other waits for it (G4).
 */
export function shareLoads<T, Known extends readonly unknown[]>(
  { light, whole }: TenantLoads<T, Known>,
  limits: LookupLimits,
): (tenantNum: number, ...known: Known) => Promise<T | null> {
  const find = shareLookups(light, limits);
  return async (tenantNum, ...known) => {
    const found = (await find([tenantNum])).get(tenantNum);
    return found === 'large' ? whole(tenantNum, ...known) : (found ?? null);
  };
}
