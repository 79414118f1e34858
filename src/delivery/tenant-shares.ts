/**
 * What all tenants have together of one thing. A tenant gets another one while it has fewer than are left: half of them where it is alone. So no tenant takes
 * the last that another might want, unless it has none itself.
 */
export class TenantShares {
  #free: number;
  /** By tenant, of those that have any. */
  readonly #held = new Map<number, number>();

  constructor(most: number) {
    this.#free = most;
  }

  /** @returns whether the tenant may have so many more, each of them by the rule: they are to be given back then, in one or in parts */
  take(tenantNum: number, count: number): boolean {
    if (count === 0) return true;
    const held = this.#held.get(tenantNum) ?? 0;
    const before = count - 1;
    if (held + before >= this.#free - before) return false;
    this.#held.set(tenantNum, held + count);
    this.#free -= count;
    return true;
  }

  giveBack(tenantNum: number, count: number): void {
    const left = (this.#held.get(tenantNum) ?? 0) - count;
    if (left === 0) this.#held.delete(tenantNum);
    else this.#held.set(tenantNum, left);
    this.#free += count;
  }
}
