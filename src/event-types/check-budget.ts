import type { Fuel } from './linear-pattern.ts';

/** Characters that the patterns and lengths of a schema may look at in one event; to find what one leads to costs as much as many that are known. */
export const FUEL = 5_000_000;
/** Events that may be as costly as that among those of one request. */
const COSTLY_EVENTS = 20;

/**
 * What the events of one request, or one batch of a source, may cost together to be checked. Each tenant has its own: none spends
 * another's. Where they are checked again, all may cost as much again; what was spent before stays their own.
 */
export class CheckBudget {
  readonly #tenants = new Map<number, Fuel>();
  /** In tries that came before. */
  readonly #before = new Map<number, number>();
  #whole: number;

  /** @param costlyEvents that may be as costly as an event may be at all: of a batch of a source each, because its producer cannot send smaller ones */
  constructor(costlyEvents = COSTLY_EVENTS) {
    this.#whole = costlyEvents * FUEL;
  }

  /** For another try, or a part of the events. */
  begin(costlyEvents = COSTLY_EVENTS): void {
    for (const tenantNum of this.#tenants.keys()) this.#before.set(tenantNum, this.spent(tenantNum));
    this.#tenants.clear();
    this.#whole = costlyEvents * FUEL;
  }

  of(tenantNum: number): Fuel {
    let fuel = this.#tenants.get(tenantNum);
    if (fuel === undefined) {
      fuel = { left: this.#whole };
      this.#tenants.set(tenantNum, fuel);
    }
    return fuel;
  }

  /** In all tries. */
  spent(tenantNum: number): number {
    const before = this.#before.size === 0 ? 0 : (this.#before.get(tenantNum) ?? 0);
    return before + this.#whole - (this.#tenants.get(tenantNum)?.left ?? this.#whole);
  }
}
