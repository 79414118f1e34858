import type { DeskList } from './desk-list.ts';
import type { HeldRows } from './held-rows.ts';
import type { MemoryShares } from './memory-shares.ts';
import type { Places, Turns } from './turns.ts';

export interface CrowdingOptions {
  readonly list: Pick<DeskList, 'waiting'>;
  readonly held: Pick<HeldRows, 'loadOf'>;
  readonly memory: Pick<MemoryShares, 'hasRoom'>;
  readonly turns: Pick<Turns, 'of' | 'finished' | 'places'>;
}

/** For how long memory is short, whenever it is looked at, before it is asked why, in ms. */
const WINDOW_MS = 250;
/** What could not be sent within this time at the rate at which requests end waits for nothing in memory, in ms. */
const LONG_MS = 1_000;
/** For how long rows are kept out then, in ms. */
const HOLD_MS = 5_000;

/**
 * Whether memory is full of rows that could not be sent for long, because slow receivers of many tenants have all slots, or rates have them wait. Nobody has more than a
 * share of it then, and still nothing can be read, however many others are due. While it is so, only those rows come into memory that can be sent at once; the
 * others are set aside when they are read, so that whoever stands behind them is found. Under more load than fast receivers take memory is short as well, but moves: there it is
 * cheaper to leave in the table, unread, what there is no room for.
 */
export class Crowding {
  readonly #options: CrowdingOptions;
  #shortSince: number | null = null;
  #finishedBefore = 0;
  #until = Number.NEGATIVE_INFINITY;

  constructor(options: CrowdingOptions) {
    this.#options = options;
  }

  /** To be called every few ms. */
  look(now: number): void {
    const { list, memory, turns } = this.#options;
    if (memory.hasRoom) this.#shortSince = null;
    else if (this.#shortSince === null) this.#restart(now);
    else if (now - this.#shortSince >= WINDOW_MS) {
      const perMs = (turns.finished - this.#finishedBefore) / (now - this.#shortSince);
      if (list.waiting > perMs * LONG_MS) this.#until = now + HOLD_MS;
      this.#restart(now);
    }
  }

  #restart(now: number): void {
    this.#shortSince = now;
    this.#finishedBefore = this.#options.turns.finished;
  }

  get isOn(): boolean {
    return performance.now() < this.#until;
  }

  /** For those rows that may come into memory now; null where they need none, as long as there is room. */
  places(): Places | null {
    if (!this.isOn) return null;
    const { held, turns } = this.#options;
    return turns.places((tenantNum) => held.loadOf(tenantNum).rows - turns.of(tenantNum).inFlight);
  }
}
