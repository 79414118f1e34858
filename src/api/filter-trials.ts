import { TenantAccounts } from '../accounts/tenant-accounts.ts';
import { Refusal } from '../domain/errors.ts';

/** Steps that a tenant's trials of filters may take in a second: a third of a process. */
const PER_SECOND = 8_000_000;
/** Those that may be taken at once, before the event loop is left to others: two of the longest trials. */
const AT_ONCE = 2_000_000;
/** What a trial may take at the most once that is spent: usual ones take a small part of it. */
const SPARE = 50_000;

/**
 * Holds tenants to what their trials of filters may cost over time, in this process. What one may cost is bounded by itself: many would hold up everybody else all the same. Once
 * the tenant has spent its share, those that take long are refused; others go on until it owes as much again.
 */
export class FilterTrials {
  readonly #accounts: TenantAccounts;

  /** @param steadyMs a clock that never steps back */
  constructor(steadyMs: () => number = () => performance.now()) {
    this.#accounts = new TenantAccounts({ perSecond: PER_SECOND, atOnce: AT_ONCE }, steadyMs);
  }

  /**
   * @param steps about to be taken: see `explainCost`
   * @throws Refusal 429
   */
  pay(tenantNum: number, steps: number): void {
    const waitMs = this.#accounts.waitMs(tenantNum, steps);
    if (waitMs > 0 && !this.#maySpare(tenantNum, steps)) throw triedTooMuch(waitMs);
    this.#accounts.pay(tenantNum, steps);
  }

  #maySpare(tenantNum: number, steps: number): boolean {
    return steps <= SPARE && this.#accounts.fullInMs(tenantNum) < (2 * AT_ONCE * 1_000) / PER_SECOND;
  }
}

const triedTooMuch = (waitMs: number) =>
  new Refusal(
    429,
    'too_many_trials',
    'The tenant has had its share of trials of filters that take long. Try again later, or with a smaller event.',
    { retryAfterSeconds: Math.ceil(waitMs / 1_000) },
  );
