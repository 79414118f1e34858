import { isOfTenant } from './is-of-tenant.ts';

/**
 * Does something with all of them at once, or, where a tenant may not send so much, with fewer: those that may be sent now are not held up
 * by those that may not.
 * @returns those that it was done with
 * @throws what `attempt` throws for another reason
 */
export async function retryApart<T>(
  all: readonly T[],
  attempt: (some: readonly T[]) => Promise<void>,
): Promise<readonly T[]> {
  try {
    await attempt(all);
    return all;
  } catch (error) {
    if (!isOfTenant(error)) throw error;
    if (all.length === 1) return [];
    const middle = Math.ceil(all.length / 2);
    const first = await retryApart(all.slice(0, middle), attempt);
    return [...first, ...(await retryApart(all.slice(middle), attempt))];
  }
}
