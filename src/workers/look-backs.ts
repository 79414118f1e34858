/** How far back a read of a lane's rows looks: from the start, far behind its cursor, or a little. */
export type Depth = 'start' | 'far' | 'near';

/** How often a lane reads from the start, for rows that became visible behind its cursor. */
const START_MS = 1_000;
/**
 * While a transaction stays open that sees old rows, such a read steps over everything that was delivered since, and what comes meanwhile for any lane waits for it. So all of
 * them together take this share of a worker's time at the most. They come once a minute all the same, unless that takes more than the larger share.
 */
const SHARE = 1 / 200;
const RARELY_MS = 60_000;
const LARGE_SHARE = 1 / 20;
/** Where a lane has nothing to do one such read is all that keeps it from being given back: then it is by its worker's time too, but soon. */
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

  get depth(): Depth {
    return this.#depth;
  }

  get isOwed(): boolean {
    return this.#isOwed;
  }

  /** A read begins. @param isIdle whether the lane might be given back after it */
  begin(now: number, isIdle: boolean): void {
    this.#depth = this.#depthAt(now, isIdle);
    if (this.#depth === 'near') return;
    this.#farAt = now;
    if (this.#depth === 'far') return;
    this.#startAt = now;
    this.#wasOwed = this.#isOwed;
    this.#isOwed = false;
  }

  #depthAt(now: number, isIdle: boolean): Depth {
    if (now - this.#startAt >= this.#pauseMs(isIdle)) return 'start';
    return now - this.#farAt >= FAR_MS ? 'far' : 'near';
  }

  #pauseMs(isIdle: boolean): number {
    const tookMs = this.#tookMs;
    if (this.#isOwed) return Math.min(Math.max(START_MS, tookMs / IDLE_SHARE), RARELY_MS);
    if (isIdle) return Math.min(tookMs / IDLE_SHARE, IDLE_MS);
    return Math.max(START_MS, Math.min(tookMs / SHARE, Math.max(RARELY_MS, tookMs / LARGE_SHARE)));
  }

  /** Rows may stand behind the cursor: the next read is from the start, also where one is under way. */
  startOver(): void {
    this.#isOwed = true;
    this.#startAt = Number.NEGATIVE_INFINITY;
  }

  /** Nothing is known of what the read would have brought. */
  failed(): void {
    if (this.#depth === 'start') this.startOver();
    if (this.#depth === 'far') this.#farAt = Number.NEGATIVE_INFINITY;
  }

  /** The read passed over tenants: what a read from the start had to be for may be among their rows. */
  passedOver(): void {
    if (this.#depth === 'start') this.#isOwed ||= this.#wasOwed;
  }

  /** Reading all lanes of the worker from the start takes so long. Once says nothing: Postgres, or this process, may have stood still. */
  took(ms: number): void {
    this.#tookMs = Math.min(ms, this.#lastTookMs);
    this.#lastTookMs = ms;
  }
}
