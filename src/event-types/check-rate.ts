import { setImmediate as nextTurn } from 'node:timers/promises';
import { Refusal } from '../domain/errors.ts';
import { FUEL } from './check-budget.ts';

/** What checking a tenant's events and compiling its schemas may cost in a second: a third of what a process can do. */
const PER_SECOND = 20_000_000;
/** How much more than that a tenant may owe before it is refused: as much as the events of one request may cost. */
export const MOST_OWED = 100_000_000;
/**
 * What a check may cost at most once its tenant owes more than that: a usual one costs a small part of it. It falls to nothing as the
 * tenant owes more.
 */
export const SPARE = 50_000;
/** What a tenant's checks may cost in one turn of the event loop. Then others have their turn. */
const COSTLY = FUEL / 10;
const MANY_TENANTS = 1_000;

interface Debt {
  owed: number;
  atMs: number;
}

/**
 * Bounds what the checks of each tenant's events cost over time in this process, and lets it make no more than about one costly check in a
 * turn of the event loop. The cost of one request is bounded by its budget, but many requests would hold up everybody else all the same.
 */
export class CheckRate {
  readonly #steadyMs: () => number;
  /** What tenants owe whose events were checked lately. */
  readonly #debts = new Map<number, Debt>();
  #forgetAt = MANY_TENANTS;
  /** What checks have cost in this turn of the event loop, by tenant. */
  readonly #inThisTurn = new Map<number, number>();
  readonly #onNextTurn = () => this.#inThisTurn.clear();
  /** By tenant that had a costly check in this turn: resolves when the last of its checks that wait has been made. */
  readonly #turns = new Map<number, Promise<void>>();

  /** @param steadyMs a clock that never steps back */
  constructor(steadyMs: () => number = () => performance.now()) {
    this.#steadyMs = steadyMs;
  }

  /**
   * @param own what the request that asks has cost itself
   * @returns what the next check of a tenant may cost; null where it owes so little that it may cost what its request has left
   */
  spare(tenantNum: number, own: number): number | null {
    const excess = this.#excess(tenantNum, own);
    return excess <= 0 ? null : Math.floor(SPARE * Math.max(0, 1 - excess / MOST_OWED));
  }

  /** @throws Refusal 429 where a tenant owes so much that nothing costly is made for it now */
  refuseSpent(tenantNum: number, own: number): void {
    if (this.#excess(tenantNum, own) > 0) throw this.refusal(tenantNum, own);
  }

  /** 429, with the time until costly checks may be made again for a tenant. */
  refusal(tenantNum: number, own: number): Refusal {
    return new Refusal(
      429,
      'rate_limited',
      'The tenant has spent its share of what checks by its schemas, and compiling these, may take. Try again later.',
      { retryAfterSeconds: Math.ceil(Math.max(0, this.#excess(tenantNum, own)) / PER_SECOND) },
    );
  }

  paid(tenantNum: number, cost: number): void {
    if (cost === 0) return;
    const debt = this.#debts.get(tenantNum);
    if (debt !== undefined) {
      debt.owed = this.#owed(debt) + cost;
      debt.atMs = this.#steadyMs();
      return;
    }
    if (this.#debts.size >= this.#forgetAt) this.#forget();
    this.#debts.set(tenantNum, { owed: cost, atMs: this.#steadyMs() });
  }

  /**
   * Makes a check at once, or else after those of its tenant that wait, and after others have had their turn.
   * @param check makes it, and returns what it cost
   * @returns null when it was made at once; otherwise it is made when the promise resolves
   */
  inTurn(tenantNum: number, check: () => number): Promise<void> | null {
    const before = this.#turns.get(tenantNum);
    if (before === undefined && !this.#isTurnOver(tenantNum, check())) return null;
    // If nothing waited before it, the check has been made already.
    const turn =
      before === undefined
        ? nextTurn()
        : before.then(() => (this.#isTurnOver(tenantNum, check()) ? nextTurn() : undefined));
    const end = () => {
      if (this.#turns.get(tenantNum) === over) this.#turns.delete(tenantNum);
    };
    const over: Promise<void> = turn.then(end, end);
    this.#turns.set(tenantNum, over);
    return before === undefined ? null : turn;
  }

  /** Whether a tenant's checks have cost so much in this turn of the event loop that others are to have theirs. */
  #isTurnOver(tenantNum: number, cost: number): boolean {
    if (cost === 0) return false;
    if (this.#inThisTurn.size === 0) setImmediate(this.#onNextTurn);
    const sum = (this.#inThisTurn.get(tenantNum) ?? 0) + cost;
    this.#inThisTurn.set(tenantNum, sum);
    return sum >= COSTLY;
  }

  #excess(tenantNum: number, own: number): number {
    const debt = this.#debts.get(tenantNum);
    return debt === undefined ? 0 : this.#owed(debt) - own - MOST_OWED;
  }

  #owed({ owed, atMs }: Debt): number {
    return Math.max(0, owed - ((this.#steadyMs() - atMs) / 1_000) * PER_SECOND);
  }

  #forget(): void {
    for (const [tenantNum, debt] of this.#debts) if (this.#owed(debt) === 0) this.#debts.delete(tenantNum);
    // Not again before there are twice as many: otherwise each tenant that is added might cost a pass over all of them.
    this.#forgetAt = Math.max(MANY_TENANTS, 2 * this.#debts.size);
  }
}
