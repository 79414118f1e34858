import { TenantAccounts } from '../accounts/tenant-accounts.ts';
import { Refusal } from '../domain/errors.ts';

/** Steps that a tenant's trials of filters may take in a second: about a third of a process's time. */
const PER_SECOND = 8_000_000;
/** Steps that may be taken at once: those of two of the longest trials. */
const AT_ONCE = 2_000_000;
/** Steps of the longest trial that is still allowed once the share is spent. A usual trial takes a small part of it. */
const SPARE = 50_000;

/**
 * Bounds what a tenant's trials of filters may cost over time, in this process. Each trial is bounded by itself, but many of them would hold
 * up everybody else all the same. Once a tenant has spent its share, trials that take long are refused. Short ones are allowed until it
 * owes as much again.
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
