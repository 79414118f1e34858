import { KeptMap } from './kept-map.ts';
import { SpendingBucket } from './spending-bucket.ts';

export interface AccountTerms {
  readonly perSecond: number;
  /** What may be spent at once, after nothing was for a while. */
  readonly atOnce: number;
}

/** What work may cost whose cost tenants choose: an account for each tenant, by itself. One that is full again is as if it had never been. */
export class TenantAccounts {
  readonly #nowMs: () => number;
  readonly #buckets: KeptMap<SpendingBucket>;

  /** @param nowMs a clock that never steps back */
  constructor({ perSecond, atOnce }: AccountTerms, nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#buckets = new KeptMap(
      () => new SpendingBucket(perSecond, atOnce, nowMs()),
      (bucket) => bucket.fullInMs(nowMs()) === 0,
    );
  }

  /** Milliseconds until as much may be spent; 0: now. */
  waitMs(tenantNum: number, cost: number): number {
    return this.#buckets.of(tenantNum).waitMs(cost, this.#nowMs());
  }

  /** What may be spent now. */
  left(tenantNum: number): number {
    return this.#buckets.of(tenantNum).left(this.#nowMs());
  }

  /** Milliseconds until the account is full again. */
  fullInMs(tenantNum: number): number {
    return this.#buckets.of(tenantNum).fullInMs(this.#nowMs());
  }

  /** Also what is more than there is: it is owed then. */
  pay(tenantNum: number, cost: number): void {
    this.#buckets.of(tenantNum).spend(cost, this.#nowMs());
  }
}
