import { TenantShares } from './tenant-shares.ts';

/** What one connection in the making asks for the sockets that it has beside one. */
export interface ExtraAllowance {
  /** @returns whether there was one left: it is to be given back then */
  take(): boolean;
  giveBack(): void;
}

/**
 * The sockets that connections in the making may have beside one each, for all of them together, shared out to tenants. Whoever asks for a connection counts
 * one socket for it: without a bound on the others, receivers that are silent at each of their addresses would have three times as many as were set.
 */
export class ExtraSockets {
  readonly #shares: TenantShares;

  constructor(most: number) {
    this.#shares = new TenantShares(most);
  }

  /** Those of a tenant's connections. */
  of(tenantNum: number): ExtraAllowance {
    return {
      take: () => this.#shares.take(tenantNum, 1),
      giveBack: () => this.#shares.giveBack(tenantNum, 1),
    };
  }
}
