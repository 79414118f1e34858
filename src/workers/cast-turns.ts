import { KeptMap } from '../accounts/kept-map.ts';
import { SpendingBucket } from '../accounts/spending-bucket.ts';
import type { CastLedger } from '../store/targets.ts';

/** Places that casts may look at in a second, of one tenant and of all together: some 0.05 µs each, so that they take half of a process and two thirds. */
const TENANT_PER_SECOND = 10_000_000;
const ALL_PER_SECOND = 14_000_000;
/** Of all together, those that tenants have whose casts are short, whatever the others spend. */
const SHORT_PER_SECOND = 4_000_000;
/** Places that may be looked at before the event loop is left to others: a few ms. */
const AT_ONCE = 100_000;
/** A short cast: a millisecond. */
const SHORT = 20_000;
/** Places beyond that which the casts of a tenant may look at in a second for all of them to count as short: after one of 15 ms it is 14 seconds until they do again. */
const LONG_PER_SECOND = 20_000;

/** A tenant for whose endpoints events are cast. */
interface Caster {
  readonly own: SpendingBucket;
  /** Of what its casts cost beyond short ones. */
  readonly long: SpendingBucket;
  isKnown: boolean;
}

/**
 * When casts may be made. They are made in the event loop, which stands still meanwhile for everybody: so they are made one after the other
 * until they have taken their few milliseconds, and go on when as much time has passed as these were worth, for each tenant by what it has
 * spent itself. A tenant whose casts have all been short lately does not wait for what others owe, but for the others of its kind: each time that
 * a long one may be made, it is, and all would wait anew, with one cast in between. It cannot be told by what is left of its own: that fills while a tenant waits for what all owe.
 */
export class CastTurns implements CastLedger {
  readonly #nowMs: () => number;
  readonly #all: SpendingBucket;
  readonly #short: SpendingBucket;
  readonly #casters: KeptMap<Caster>;

  /** @param nowMs a clock that never steps back */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    this.#all = new SpendingBucket(ALL_PER_SECOND, AT_ONCE, nowMs());
    this.#short = new SpendingBucket(SHORT_PER_SECOND, AT_ONCE, nowMs());
    this.#casters = new KeptMap(
      (): Caster => ({
        own: new SpendingBucket(TENANT_PER_SECOND, AT_ONCE, nowMs()),
        long: new SpendingBucket(LONG_PER_SECOND, SHORT, nowMs()),
        isKnown: false,
      }),
      ({ own, long }) => Math.max(own.fullInMs(nowMs()), long.fullInMs(nowMs())) === 0,
    );
  }

  /** Milliseconds until something may be cast for this tenant; 0: now. */
  waitMs(tenantNum: number): number {
    const nowMs = this.#nowMs();
    const caster = this.#casters.of(tenantNum);
    const ofAllMs = this.#all.waitMs(1, nowMs);
    const sharedMs = isShort(caster, nowMs) ? Math.min(ofAllMs, this.#short.waitMs(1, nowMs)) : ofAllMs;
    return Math.max(sharedMs, caster.own.waitMs(1, nowMs));
  }

  paid(tenantNum: number, cost: number): void {
    const nowMs = this.#nowMs();
    const caster = this.#casters.of(tenantNum);
    this.#all.spend(cost, nowMs);
    if (isShort(caster, nowMs)) this.#short.spend(cost, nowMs);
    caster.own.spend(cost, nowMs);
    caster.long.spend(Math.max(0, cost - SHORT), nowMs);
    caster.isKnown = true;
  }
}

/** What a tenant's first cast will cost nobody knows. */
function isShort({ long, isKnown }: Caster, nowMs: number): boolean {
  return isKnown && long.waitMs(1, nowMs) === 0;
}
