import { setImmediate as nextTurn } from 'node:timers/promises';
import { Refusal } from '../domain/errors.ts';
import { FUEL } from './check-budget.ts';

/** What checks of a tenant's events, and compiling its schemas, may cost in a second: a third of a process. */
const PER_SECOND = 20_000_000;
/** What they may have cost beyond that before more are refused: as much as those of one request may. */
export const MOST_OWED = 100_000_000;
/**
 * What a check may cost at the most once its tenant owes more than that: usual ones cost a small part of it. The more it owes the less it
 * is, down to nothing.
 */
export const SPARE = 50_000;
/** What checks of a tenant may cost in one turn of the event loop before others have theirs. */
const COSTLY = FUEL / 10;
const MANY_TENANTS = 1_000;

interface Debt {
  owed: number;
  atMs: number;
}

/**
 * Holds tenants to what the checks of their events may cost over time, in this process, and to as much as one costly check in a turn of the
 * event loop. What the events of one request may cost is bounded by itself: many requests would hold up everybody else all the same.
 */
export class CheckRate {
  readonly #steadyMs: () => number;
  /** Of tenants whose events were checked lately. */
  readonly #debts = new Map<number, Debt>();
  #forgetAt = MANY_TENANTS;
  /** What checks have cost in this turn of the event loop, by tenant. */
  readonly #inThisTurn = new Map<number, number>();
  readonly #onNextTurn = () => this.#inThisTurn.clear();
  /** Of tenants that had a costly check in this turn: when the last one of those that wait has been made. */
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
   * Makes a check at once, or when those of its tenant that came before have been made and others have had their turn.
   * @param check says what it cost
   */
  inTurn(tenantNum: number, check: () => number): Promise<void> | null {
    const before = this.#turns.get(tenantNum);
    if (before === undefined && !this.#isTurnOver(tenantNum, check())) return null;
    // Made already, where nothing was before it.
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
    // Not again before there are twice as many: each that is added would go over all of them.
    this.#forgetAt = Math.max(MANY_TENANTS, 2 * this.#debts.size);
  }
}
