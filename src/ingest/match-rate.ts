import { TenantAccounts } from '../accounts/tenant-accounts.ts';
import { TokenBucket } from '../accounts/token-bucket.ts';

/** Milliseconds that matching a tenant's events may take in a second, a third of a process; and those of all tenants whose events take long. */
const TENANT_MS_PER_SECOND = 333;
const ALL_MS_PER_SECOND = 667;
/** What it may take after nothing was for a while, in pieces between which others have the event loop. */
const AT_ONCE_MS = 500;
/** What a tenant's events may take in one turn of it, and those of all together. */
const TENANT_TURN_MS = 25;
const TURN_MS = 50;
/** An event that takes less is like any other: to parse and store it takes as long. */
const USUAL_MS = 0.05;

/** What events are matched by, as far as time goes. */
export interface MatchMeter {
  readonly nowMs: () => number;
  /** Whether others are to have the event loop. */
  readonly isOver: boolean;
  /** @param tenantNum whose events are to be matched */
  enter(tenantNum: number): void;
  /** Whether no event of the tenant is to be matched now. */
  isClosed(tenantNum: number): boolean;
  /** @returns whether that is so much that it is to be kept what was found */
  took(tenantNum: number, ms: number): boolean;
}

/** For what is matched without regard to that. */
export const UNMETERED: MatchMeter = {
  nowMs: () => 0,
  isOver: false,
  enter: () => {},
  isClosed: () => false,
  took: () => false,
};

/**
 * What matching takes whose cost tenants choose, by their filters and events, in this process. Told by the clock, as it is made: its steps are many kinds of
 * look-ups, and what is told wrongly for a pause of the process costs a tenant no more than a turn of its own.
 */
export class MatchRate {
  readonly nowMs: () => number;
  readonly #accounts: TenantAccounts;
  readonly #all: TokenBucket;

  /** @param nowMs a clock that never steps back */
  constructor(nowMs: () => number = () => performance.now()) {
    this.nowMs = nowMs;
    this.#accounts = new TenantAccounts({ perSecond: TENANT_MS_PER_SECOND, atOnce: AT_ONCE_MS }, nowMs);
    this.#all = new TokenBucket(ALL_MS_PER_SECOND, AT_ONCE_MS, nowMs());
  }

  /** Milliseconds until events of the tenant that take long may be matched; 0: now. */
  waitMs(tenantNum: number): number {
    return Math.max(this.ownWaitMs(tenantNum), this.#all.waitMs(1, this.nowMs()));
  }

  /** The same, as far as it is for what the tenant itself has spent. */
  ownWaitMs(tenantNum: number): number {
    return this.#accounts.isKnown(tenantNum) ? this.#accounts.waitMs(tenantNum, 1) : 0;
  }

  pay(tenantNum: number, ms: number): void {
    this.#accounts.pay(tenantNum, ms);
    this.#all.spend(ms, this.nowMs());
  }

  /** For a group, whose events are matched in one turn of the event loop. */
  turn(): MatchMeter {
    return new TurnMeter(this);
  }

  /** For events that are known to take long: as many as fit into so many milliseconds, and one. */
  piece(ms: number): MatchMeter {
    return new PieceMeter(this, ms);
  }
}

/** Ends a turn for a tenant whose events took long in it, or that has spent what it may, and for all where their events take long together. */
class TurnMeter implements MatchMeter {
  readonly nowMs: () => number;
  readonly #rate: MatchRate;
  readonly #spentBy = new Map<number, number>();
  readonly #closed = new Set<number>();
  #spentMs = 0;

  constructor(rate: MatchRate) {
    this.#rate = rate;
    this.nowMs = rate.nowMs;
  }

  get isOver(): boolean {
    return this.#spentMs >= TURN_MS;
  }

  enter(tenantNum: number): void {
    if (this.#rate.ownWaitMs(tenantNum) > 0) this.#closed.add(tenantNum);
  }

  isClosed(tenantNum: number): boolean {
    return this.isOver || (this.#closed.size > 0 && this.#closed.has(tenantNum));
  }

  took(tenantNum: number, ms: number): boolean {
    if (ms < USUAL_MS) return false;
    this.#spentMs += ms;
    this.#rate.pay(tenantNum, ms);
    const spent = (this.#spentBy.get(tenantNum) ?? 0) + ms;
    this.#spentBy.set(tenantNum, spent);
    if (spent >= TENANT_TURN_MS) this.#closed.add(tenantNum);
    else this.enter(tenantNum);
    return true;
  }
}

class PieceMeter implements MatchMeter {
  readonly nowMs: () => number;
  readonly #rate: MatchRate;
  readonly #endMs: number;
  #isBegun = false;

  constructor(rate: MatchRate, ms: number) {
    this.#rate = rate;
    this.nowMs = rate.nowMs;
    this.#endMs = rate.nowMs() + ms;
  }

  get isOver(): boolean {
    return this.#isBegun && this.#rate.nowMs() >= this.#endMs;
  }

  enter(): void {}

  isClosed(): boolean {
    return this.isOver;
  }

  took(tenantNum: number, ms: number): boolean {
    this.#isBegun = true;
    if (ms >= USUAL_MS) this.#rate.pay(tenantNum, ms);
    return true;
  }
}
