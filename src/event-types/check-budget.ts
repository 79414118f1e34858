import type { Fuel } from './linear-pattern.ts';

/** Characters that the patterns and lengths of a schema may look at in one event; to find what one leads to costs as much as many that are known. */
export const FUEL = 5_000_000;
/** Events that may be as costly as that among those of one request. */
const COSTLY_EVENTS = 20;

/** What the events of one request, or one batch of a source, may cost together to be checked. Each tenant has its own: none spends another's. */
export class CheckBudget {
  readonly #tenants = new Map<number, Fuel>();

  of(tenantNum: number): Fuel {
    const fuel = this.#tenants.get(tenantNum) ?? { left: COSTLY_EVENTS * FUEL };
    this.#tenants.set(tenantNum, fuel);
    return fuel;
  }

  /** Whether nothing of it was spent for a tenant. */
  isWhole(tenantNum: number): boolean {
    return this.of(tenantNum).left === COSTLY_EVENTS * FUEL;
  }
}
