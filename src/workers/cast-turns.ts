import { KeptMap } from '../accounts/kept-map.ts';
import { TokenBucket } from '../accounts/token-bucket.ts';
import type { CastLedger } from '../store/targets.ts';

/** Places that casts may look at in a second, of one tenant and of all together: some 0.05 µs each, so that they take half of a process and two thirds. */
const TENANT_PER_SECOND = 10_000_000;
const ALL_PER_SECOND = 14_000_000;
/** Places that may be looked at before the event loop is left to others: a few ms. */
const AT_ONCE = 100_000;

/**
 * When casts may be made. They are made in the event loop, which stands still meanwhile for everybody: so they are made one after the other
 * until they have taken their few milliseconds, and go on when as much time has passed as these were worth, for each tenant by what it has
 * spent itself. Casts of ordinary events are hundreds of times cheaper and wait for nothing but costly ones of others.
 */
export class CastTurns implements CastLedger {
  readonly #nowMs: () => number;
  readonly #all: TokenBucket;
  readonly #tenants: KeptMap<TokenBucket>;

  /** @param nowMs a clock that never steps back */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    this.#all = new TokenBucket(ALL_PER_SECOND, AT_ONCE, nowMs());
    this.#tenants = new KeptMap(
      () => new TokenBucket(TENANT_PER_SECOND, AT_ONCE, nowMs()),
      (bucket) => bucket.fullInMs(nowMs()) === 0,
    );
  }

  /** Milliseconds until something may be cast for this tenant; 0: now. */
  waitMs(tenantNum: number): number {
    const nowMs = this.#nowMs();
    return Math.max(this.#all.waitMs(1, nowMs), this.#tenants.of(tenantNum).waitMs(1, nowMs));
  }

  paid(tenantNum: number, cost: number): void {
    const nowMs = this.#nowMs();
    this.#all.spend(cost, nowMs);
    this.#tenants.of(tenantNum).spend(cost, nowMs);
  }
}
