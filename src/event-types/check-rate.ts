import { setImmediate as nextTurn } from 'node:timers/promises';
import { FUEL } from './check-budget.ts';

/** What checks of a tenant's events may cost in a second: a third of a process. */
const PER_SECOND = 20_000_000;
/** What they may have cost beyond that before more are refused: as much as those of one request may. */
const MOST_OWED = 100_000_000;
/** Up to which a check is like any other: those of usual events count for nothing, and are made whatever others have cost. */
export const FREE = 50_000;
/** From which on a check leaves the event loop to others before the next one of its tenant. */
const COSTLY = FUEL / 10;
const MANY_TENANTS = 1_000;

interface Debt {
  readonly owed: number;
  readonly atMs: number;
}

/**
 * Holds tenants to what the checks of their events may cost over time, in this process, and to one costly check in a turn of the event loop. What the
 * events of one request may cost is bounded by itself: many requests would hold up everybody else all the same.
 */
export class CheckRate {
  readonly #nowMs: () => number;
  /** Of tenants whose events were costly lately. */
  readonly #debts = new Map<number, Debt>();
  /** Of tenants that had a costly check in this turn: when the last one of those that wait has been made. */
  readonly #turns = new Map<number, Promise<void>>();

  /** @param nowMs a clock that never steps back */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Milliseconds until checks may be begun for a tenant; 0: now. */
  waitMs(tenantNum: number): number {
    const debt = this.#debts.get(tenantNum);
    return debt === undefined ? 0 : Math.max(0, ((this.#owed(debt) - MOST_OWED) / PER_SECOND) * 1_000);
  }

  paid(tenantNum: number, cost: number): void {
    if (cost <= FREE) return;
    const debt = this.#debts.get(tenantNum);
    const owed = (debt === undefined ? 0 : this.#owed(debt)) + cost - FREE;
    if (this.#debts.size >= MANY_TENANTS) this.#forget();
    this.#debts.set(tenantNum, { owed, atMs: this.#nowMs() });
  }

  /**
   * Makes a check at once, or when those of its tenant that came before have been made and others have had their turn.
   * @param check says what it cost
   */
  inTurn(tenantNum: number, check: () => number): Promise<void> | null {
    const before = this.#turns.get(tenantNum);
    if (before === undefined && check() < COSTLY) return null;
    // Made already, where nothing was before it.
    const turn = before === undefined ? nextTurn() : before.then(() => (check() < COSTLY ? undefined : nextTurn()));
    const end = () => {
      if (this.#turns.get(tenantNum) === over) this.#turns.delete(tenantNum);
    };
    const over: Promise<void> = turn.then(end, end);
    this.#turns.set(tenantNum, over);
    return before === undefined ? null : turn;
  }

  #owed({ owed, atMs }: Debt): number {
    return Math.max(0, owed - ((this.#nowMs() - atMs) / 1_000) * PER_SECOND);
  }

  #forget(): void {
    for (const [tenantNum, debt] of this.#debts) if (this.#owed(debt) === 0) this.#debts.delete(tenantNum);
  }
}
