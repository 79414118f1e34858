import type { DeskList } from './desk-list.ts';
import type { MemoryShares } from './memory-shares.ts';
import type { Places, SendScheduler } from './send-scheduler.ts';

export interface CrowdingOptions {
  readonly list: Pick<DeskList, 'waiting'>;
  readonly memory: Pick<MemoryShares, 'hasRowsFree' | 'areBytesShort' | 'bytePlaces'>;
  readonly scheduler: Pick<SendScheduler, 'inFlight' | 'finished' | 'places'>;
}

/** For how long memory must have been short at each look before the reason is looked for, in ms. */
const WINDOW_MS = 250;
/** Rows that could not be sent within this time, at the rate at which requests end, have no use in memory, in ms. */
const LONG_MS = 1_000;
/** If the last look was longer ago than this, in ms, the process itself stood still: that says nothing of receivers. */
const STILL_MS = 100;
/** For how long crowded mode is on each time, in ms. */
const HOLD_MS = 5_000;

/**
 * Crowded mode: memory has been short for WINDOW_MS and what waits could not be sent within LONG_MS at the current rate, because slow
 * receivers or rate limits of many tenants fill it. While on, a row is admitted only if it can be sent at once; the rest are parked when
 * read, so that rows behind them are found. With fast receivers memory is short too, but drains: there it is cheaper to leave rows unread.
 */
export class Crowding {
  readonly #options: CrowdingOptions;
  /** When the window began in which memory is short or crowded mode is on; null while neither is so. */
  #since: number | null = null;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #finishedBefore = 0;
  /** Whether a row found no place in this window. */
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
   * Once crowded mode is on, memory is not full any more: it stays on for as long as rows find no place and requests take long. Where bytes
   * are short, requests under way count with the rows that wait, because they hold bytes too.
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

  /** The places of rows that may come into memory now; null while crowded mode is off, when a row needs no place, only room. */
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
