import type { DeskList } from './desk-list.ts';
import type { MemoryShares } from './memory-shares.ts';
import type { Places, SendScheduler } from './send-scheduler.ts';

export interface CrowdingOptions {
  readonly list: Pick<DeskList, 'waiting'>;
  readonly memory: Pick<MemoryShares, 'hasRowsFree' | 'areBytesShort' | 'bytePlaces'>;
  readonly scheduler: Pick<SendScheduler, 'inFlight' | 'finished' | 'places'>;
}

/** For how long memory is short, whenever it is looked at, before it is asked why, in ms. */
const WINDOW_MS = 250;
/** What could not be sent within this time at the rate at which requests end waits for nothing in memory, in ms. */
const LONG_MS = 1_000;
/** A process that did not look for so long stood still itself: that says nothing of receivers. */
const STILL_MS = 100;
/** For how long rows are kept out then, in ms. */
const HOLD_MS = 5_000;

/**
 * Whether memory is full of rows that could not be sent for long, because slow receivers of many tenants have all slots, or rates have them wait. Nobody has more than a
 * share of it then, and still nothing can be read, however many others are due. While it is so, only those rows come into memory that can be sent at once; the
 * others are parked when they are read, so that whoever stands behind them is found. Under more load than fast receivers take memory is short as well, but moves: there it is
 * cheaper to leave in the table, unread, what there is no room for.
 */
export class Crowding {
  readonly #options: CrowdingOptions;
  /** Since when memory has been short, or rows were kept out, as far as this window goes; null while neither is so. */
  #since: number | null = null;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #finishedBefore = 0;
  /** Whether something found no place in this window. */
  #hasRefused = false;
  #until = Number.NEGATIVE_INFINITY;

  constructor(options: CrowdingOptions) {
    this.#options = options;
  }

  /** To be called every few ms. */
  look(now: number): void {
    const stoodStill = now - this.#lookedAt > STILL_MS;
    this.#lookedAt = now;
    const { memory } = this.#options;
    if (!this.isOn && memory.hasRowsFree && !memory.areBytesShort) this.#since = null;
    else if (this.#since === null || stoodStill) this.#restart(now);
    else if (now - this.#since >= WINDOW_MS) {
      if (this.#isStuck(now - this.#since)) this.#until = now + HOLD_MS;
      this.#restart(now);
    }
  }

  /**
   * Once it is on, memory is not full any more: it goes on for as long as rows are kept out and requests take long. What is under way has its slots, and its bytes: where it is
   * these that are short, it counts with what waits.
   */
  #isStuck(windowMs: number): boolean {
    const { list, memory, scheduler } = this.#options;
    const inTime = ((scheduler.finished - this.#finishedBefore) / windowMs) * LONG_MS;
    if (memory.areBytesShort) return list.waiting + scheduler.inFlight > inTime;
    return this.isOn ? this.#hasRefused && scheduler.inFlight > inTime : list.waiting > inTime;
  }

  #restart(now: number): void {
    this.#since = now;
    this.#finishedBefore = this.#options.scheduler.finished;
    this.#hasRefused = false;
  }

  get isOn(): boolean {
    return performance.now() < this.#until;
  }

  /** For those rows that may come into memory now; null where they need none, as long as there is room. */
  places(): Places | null {
    if (!this.isOn) return null;
    const places = this.#options.scheduler.places();
    const bytes = this.#options.memory.bytePlaces();
    return {
      take: (tenantNum, kind) => {
        const isTaken = bytes.has(tenantNum) && places.take(tenantNum, kind);
        if (isTaken) bytes.take(tenantNum);
        this.#hasRefused ||= !isTaken;
        return isTaken;
      },
    };
  }
}
