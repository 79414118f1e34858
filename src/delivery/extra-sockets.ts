/** What one connection in the making asks for the sockets that it has beside one. */
export interface ExtraAllowance {
  /** @returns whether there was one left: it is to be given back then */
  take(): boolean;
  giveBack(): void;
}

/**
 * The sockets that connections in the making may have beside one each, for all of them together. Whoever asks for a connection counts one socket for it:
 * without a bound on the others, receivers that are silent at each of their addresses would have three times as many as were set as the most.
 *
 * A tenant gets another one while it has fewer than are left: half of them where it is alone. So no tenant
 * takes the last that another might want, unless it has none itself.
 */
export class ExtraSockets {
  #free: number;
  /** By tenant, of those that have any. */
  readonly #held = new Map<number, number>();

  constructor(most: number) {
    this.#free = most;
  }

  /** Those of a tenant's connections. */
  of(tenantNum: number): ExtraAllowance {
    return {
      take: () => this.#take(tenantNum),
      giveBack: () => this.#giveBack(tenantNum),
    };
  }

  #take(tenantNum: number): boolean {
    const held = this.#held.get(tenantNum) ?? 0;
    if (held >= this.#free) return false;
    this.#held.set(tenantNum, held + 1);
    this.#free--;
    return true;
  }

  #giveBack(tenantNum: number): void {
    const held = this.#held.get(tenantNum)!;
    if (held === 1) this.#held.delete(tenantNum);
    else this.#held.set(tenantNum, held - 1);
    this.#free++;
  }
}
