import type { Fuel } from './linear-pattern.ts';

/**
 * How many characters the patterns and lengths of a schema may look at in one event. To find out where a character leads costs as much as
 * many whose way is known.
 */
export const FUEL = 5_000_000;
/** How many events of one request may cost as much. */
const COSTLY_EVENTS = 20;

/**
 * What checking the events of one request, or of one batch of a source, may cost together. Each tenant has a budget of its own, so that
 * none spends another's. When events are checked again, the budget is whole again; `spent` counts all tries.
 */
export class CheckBudget {
  readonly #tenants = new Map<number, Fuel>();
  /** What each tenant spent in earlier tries. */
  readonly #before = new Map<number, number>();
  #whole: number;

  /**
   * @param costlyEvents how many events may each cost the most that one may. Of a batch of a source all may, because its producer cannot
   * send smaller batches
   */
  constructor(costlyEvents = COSTLY_EVENTS) {
    this.#whole = costlyEvents * FUEL;
  }

  /** Begins another try, or the next part of the events, with a whole budget. */
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

  /** What a tenant has spent in all tries. */
  spent(tenantNum: number): number {
    const before = this.#before.size === 0 ? 0 : (this.#before.get(tenantNum) ?? 0);
    return before + this.#whole - (this.#tenants.get(tenantNum)?.left ?? this.#whole);
  }
}
