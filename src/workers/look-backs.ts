import type { Cursor } from '../store/mailbox.ts';
import type { StartReads } from './start-reads.ts';
import { type StartPart, StartWalk } from './start-walk.ts';

/** How far back a read of a lane's rows looks: from the start, at once or a part of it, far behind its cursor, or a little. */
export type Depth = 'start' | 'part' | 'far' | 'near';

/** How often a lane reads from the start, for rows that became visible behind its cursor. */
const START_MS = 1_000;
/**
 * While a transaction stays open that sees old rows, such a read steps over everything that was delivered since, and what comes meanwhile
 * for any lane waits for it. So all of them together take this share of a worker's time at the most. They come once a minute all the same,
 * unless that takes more than the larger share.
 */
const SHARE = 1 / 200;
const RARELY_MS = 60_000;
const LARGE_SHARE = 1 / 20;
/**
 * Where a lane has nothing to do one such read is all that keeps it from being given back: then it is by its worker's time too, but soon.
 */
const IDLE_SHARE = 1 / 4;
const IDLE_MS = 10_000;
/** How often a lane looks far back in between. */
const FAR_MS = 1_000;

/** Decides for one lane how far back each read looks. Times are in ms of `performance.now()`. */
export class LookBacks {
  /** Whether a read from the start has to be, not just because it is time. */
  #isOwed = true;
  /** Whether the one under way had to be. */
  #wasOwed = false;
  /** Of the last read from the start; `-Infinity` when the next one is to come at once. */
  #startAt = Number.NEGATIVE_INFINITY;
  #farAt = Number.NEGATIVE_INFINITY;
  /** How long reading all lanes of the worker from the start takes: the lesser of the last two, and the last. */
  #tookMs = 0;
  #lastTookMs = 0;
  #depth: Depth = 'start';
  /** The parts in which it is read from the start, as long as that goes on. */
  #walk: StartWalk | null = null;
  /** Whether the last time that it was read from the start was in parts. */
  #hasWalked = false;
  /** Whether what has to be read from the start may be behind where the walk is. */
  #isOwedAnew = false;

  get depth(): Depth {
    return this.#depth;
  }

  get isOwed(): boolean {
    return this.#isOwed;
  }

  /** What is to be read now where that is a part of what is due from the start. */
  get part(): StartPart | null {
    return this.#depth === 'part' ? this.#walk!.part : null;
  }

  /**
   * A read begins.
   * @param isIdle whether the lane might be given back after it
   * @param cursorMs what was due before is not read without looking back
   */
  begin(now: number, isIdle: boolean, starts: Pick<StartReads, 'isInParts' | 'isPartDue'>, cursorMs: number): void {
    this.#depth = this.#depthAt(now, isIdle, starts);
    if (this.#depth === 'near') return;
    if (this.#depth === 'part') {
      this.#walk ??= new StartWalk(cursorMs);
      return;
    }
    this.#farAt = now;
    if (this.#depth === 'far') return;
    this.#startAt = now;
    this.#hasWalked = false;
    this.#wasOwed = this.#isOwed;
    this.#isOwed = false;
  }

  #depthAt(now: number, isIdle: boolean, starts: Pick<StartReads, 'isInParts' | 'isPartDue'>): Depth {
    const isDue = this.#walk !== null || now - this.#startAt >= this.#pauseMs(isIdle, starts.isInParts);
    if (isDue && this.#walk === null && !starts.isInParts) return 'start';
    if (isDue && this.#isPartDue(now, starts)) return 'part';
    return now - this.#farAt >= FAR_MS ? 'far' : 'near';
  }

  /** In between what is new has its turn. */
  #isPartDue(now: number, starts: Pick<StartReads, 'isPartDue'>): boolean {
    return this.#depth !== 'part' && starts.isPartDue(now, this.#isOwed ? IDLE_SHARE : LARGE_SHARE);
  }

  #pauseMs(isIdle: boolean, isInParts: boolean): number {
    const tookMs = this.#tookMs;
    if (isInParts) return this.#isOwed || !this.#hasWalked ? START_MS : RARELY_MS;
    if (this.#isOwed) return Math.min(Math.max(START_MS, tookMs / IDLE_SHARE), RARELY_MS);
    if (isIdle) return Math.min(tookMs / IDLE_SHARE, IDLE_MS);
    return Math.max(START_MS, Math.min(tookMs / SHARE, Math.max(RARELY_MS, tookMs / LARGE_SHARE)));
  }

  /** Rows may stand behind the cursor: the next read is from the start, also where one is under way. */
  startOver(): void {
    this.#isOwed = true;
    // To its end first, lest it never come there.
    if (this.#walk !== null) this.#isOwedAnew = true;
    else this.#startAt = Number.NEGATIVE_INFINITY;
  }

  /** Nothing is known of what the read would have brought. */
  failed({ isInParts }: Pick<StartReads, 'isInParts'>): void {
    if (this.#depth === 'part') this.#walk!.failed();
    // Where it ran into a time limit, it would do so again.
    if (this.#depth === 'start' && isInParts) this.#isOwed ||= this.#wasOwed;
    if (this.#depth === 'start' && !isInParts) this.startOver();
    if (this.#depth === 'far') this.#farAt = Number.NEGATIVE_INFINITY;
  }

  /** The read passed over tenants: what a read from the start had to be for may be among their rows. */
  passedOver(): void {
    if (this.#depth === 'start') this.#isOwed ||= this.#wasOwed;
    if (this.#depth === 'part') this.#isOwedAnew ||= this.#isOwed;
  }

  /**
   * What a part brought was taken in.
   * @param end the last row of it, where there may be more in this part; else null
   * @returns how long all parts took, in ms, where that was the last one; else null
   */
  onPartAdmitted(end: Cursor | null, now: number): number | null {
    const walk = this.#walk!;
    walk.onPartAdmitted(end);
    // Many rows stand there.
    if (end !== null) this.#isOwed = true;
    if (!walk.isOver) return null;
    this.#walk = null;
    this.#hasWalked = true;
    this.#startAt = now;
    this.#isOwed = this.#isOwedAnew;
    this.#isOwedAnew = false;
    return walk.tookMs;
  }

  /** See `StartWalk.took`. */
  partTook(ms: number, lanes: number): void {
    this.#walk?.took(ms, lanes);
  }

  /** Reading all lanes of the worker from the start takes so long. Once says nothing: Postgres, or this process, may have stood still. */
  took(ms: number): void {
    this.#tookMs = Math.min(ms, this.#lastTookMs);
    this.#lastTookMs = ms;
  }
}
