import { type LookupLimits, shareLookups } from './share-lookups.ts';

export interface TenantLoads<T, Known extends readonly unknown[]> {
  /** Reads several tenants in one statement. A tenant that has much is not read: it is `'large'`. A tenant that does not exist is absent. */
  readonly light: (tenantNums: readonly number[]) => Promise<ReadonlyMap<number, T | 'large'>>;
  /** Reads one tenant, however long it takes. */
  readonly whole: (tenantNum: number, ...known: Known) => Promise<T | null>;
}

/**
 * Lets reads of what events are checked and routed by share statements: else events of a thousand tenants that are not in memory would wait
 * for a thousand statements, one after the other.
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
