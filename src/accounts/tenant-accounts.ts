import { KeptMap } from './kept-map.ts';
import { SpendingBucket } from './spending-bucket.ts';

export interface AccountTerms {
  readonly perSecond: number;
  /** What may be spent at once, after nothing was for a while. */
  readonly atOnce: number;
}

/** What work may cost whose cost tenants choose: an account for each tenant, by itself. One that is full again is as if it had never been. */
export class TenantAccounts {
  readonly #steadyMs: () => number;
  readonly #buckets: KeptMap<SpendingBucket>;

  /** @param steadyMs a clock that never steps back */
  constructor({ perSecond, atOnce }: AccountTerms, steadyMs: () => number) {
    this.#steadyMs = steadyMs;
    this.#buckets = new KeptMap(
      () => new SpendingBucket(perSecond, atOnce, steadyMs()),
      (bucket) => bucket.fullInMs(steadyMs()) === 0,
    );
  }

  /** Milliseconds until as much may be spent; 0: now. */
  waitMs(tenantNum: number, cost: number): number {
    return this.#buckets.of(tenantNum).waitMs(cost, this.#steadyMs());
  }

  /** What may be spent now. */
  left(tenantNum: number): number {
    return this.#buckets.of(tenantNum).left(this.#steadyMs());
  }

  /** Milliseconds until the account is full again. */
  fullInMs(tenantNum: number): number {
    return this.#buckets.of(tenantNum).fullInMs(this.#steadyMs());
  }

  /** Also what is more than there is: it is owed then. */
  pay(tenantNum: number, cost: number): void {
    this.#buckets.of(tenantNum).spend(cost, this.#steadyMs());
  }
}
