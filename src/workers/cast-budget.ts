import { KeptMap } from '../accounts/kept-map.ts';
import { SpendingBucket } from '../accounts/spending-bucket.ts';
import type { CastLedger } from '../store/targets.ts';

/**
 * Places in events that casts may look at in a second, for one tenant and for all together. At some 0.05 µs each they take half of a
 * process, and two thirds.
 */
const TENANT_PER_SECOND = 10_000_000;
const ALL_PER_SECOND = 14_000_000;
/** The part of these that tenants with short casts have for themselves, whatever the others spend. */
const SHORT_PER_SECOND = 4_000_000;
/** Places that may be looked at before the event loop is left to others: a few ms. */
const AT_ONCE = 100_000;
/** The most places that a short cast looks at: a millisecond. */
const SHORT = 20_000;
/**
 * The places beyond a short cast that a tenant's casts may look at in a second and all still count as short. After a cast of 15 ms it takes
 * 14 seconds until they do again.
 */
const LONG_PER_SECOND = 20_000;

/** A tenant for whose endpoints events are cast. */
interface Caster {
  readonly own: SpendingBucket;
  /** What its casts may cost beyond that of short ones. */
  readonly long: SpendingBucket;
  isKnown: boolean;
}

/**
 * Decides when casts may be made. A cast holds the event loop, and so everybody. Casts are made one after the other until they have taken
 * a few milliseconds; they go on when as much time has passed as these were worth. Each tenant also waits by what it has spent itself.
 *
 * A tenant whose casts have all been short lately does not wait for what the others owe, only for what tenants of its kind owe. Otherwise
 * each long cast would be made as soon as it may, and all would wait anew, with one cast in between. Whether a tenant's casts are short
 * cannot be told from its own bucket: that fills while the tenant waits for what all owe.
 */
export class CastBudget implements CastLedger {
  readonly #steadyMs: () => number;
  readonly #all: SpendingBucket;
  readonly #short: SpendingBucket;
  readonly #casters: KeptMap<Caster>;

  /** @param steadyMs a clock in ms that never steps back */
  constructor(steadyMs: () => number = () => performance.now()) {
    this.#steadyMs = steadyMs;
    this.#all = new SpendingBucket(ALL_PER_SECOND, AT_ONCE, steadyMs());
    this.#short = new SpendingBucket(SHORT_PER_SECOND, AT_ONCE, steadyMs());
    this.#casters = new KeptMap(
      (): Caster => ({
        own: new SpendingBucket(TENANT_PER_SECOND, AT_ONCE, steadyMs()),
        long: new SpendingBucket(LONG_PER_SECOND, SHORT, steadyMs()),
        isKnown: false,
      }),
      ({ own, long }) => Math.max(own.fullInMs(steadyMs()), long.fullInMs(steadyMs())) === 0,
    );
  }

  /** Milliseconds until something may be cast for this tenant; 0: now. */
  waitMs(tenantNum: number): number {
    const steadyMs = this.#steadyMs();
    const caster = this.#casters.of(tenantNum);
    const ofAllMs = this.#all.waitMs(1, steadyMs);
    const sharedMs = isShort(caster, steadyMs) ? Math.min(ofAllMs, this.#short.waitMs(1, steadyMs)) : ofAllMs;
    return Math.max(sharedMs, caster.own.waitMs(1, steadyMs));
  }

  paid(tenantNum: number, cost: number): void {
    const steadyMs = this.#steadyMs();
    const caster = this.#casters.of(tenantNum);
    this.#all.spend(cost, steadyMs);
    if (isShort(caster, steadyMs)) this.#short.spend(cost, steadyMs);
    caster.own.spend(cost, steadyMs);
    caster.long.spend(Math.max(0, cost - SHORT), steadyMs);
    caster.isKnown = true;
  }
}

/** Nobody knows what the first cast of a tenant will cost: it does not count as short. */
function isShort({ long, isKnown }: Caster, steadyMs: number): boolean {
  return isKnown && long.waitMs(1, steadyMs) === 0;
}
