import type { RateLimit } from '../domain/endpoint.ts';

/** Plain JSON: how many tokens there were at `atMs` on Postgres's clock. */
export interface SavedBucket {
  readonly tokens: number;
  readonly atMs: number;
  readonly throttledUntilMs: number | null;
}

/**
 * If the clock steps back by no more than this, the bucket waits until it has caught up. After a larger step it goes on from the new time:
 * otherwise the endpoint would stand still for as long.
 */
const PATIENCE_MS = 5_000;

/**
 * The rate limit of one endpoint, as a token bucket that starts full: within any interval of `t` seconds at most
 * `burst + perSecond × t` tokens are taken, and a caller who always comes when there is one gets all but one of them. Tokens that
 * would exceed the burst are lost, so with a burst of 1 a caller who is late gets a little less.
 *
 * Pure: it holds no timers and reads no clock. Time is in ms on Postgres's clock.
 */
export class EndpointRateBucket {
  readonly #limit: RateLimit;
  // Tokens are computed as what has come since a fixed start, minus the count of those taken: adding up fractions would drift.
  #startMs: number;
  #startTokens: number;
  #taken = 0;
  #seenMs: number;
  #throttledUntilMs: number | null = null;

  constructor(limit: RateLimit, nowMs: number) {
    this.#limit = limit;
    this.#startMs = nowMs;
    this.#startTokens = limit.burst;
    this.#seenMs = nowMs;
  }

  /** The bucket as `save` left it, filled since then; a full one for null. Tokens beyond a new, smaller burst are lost. */
  static restore(saved: SavedBucket | null, limit: RateLimit, nowMs: number): EndpointRateBucket {
    if (saved === null) return new EndpointRateBucket(limit, nowMs);
    const bucket = new EndpointRateBucket(limit, saved.atMs);
    bucket.#startTokens = saved.tokens;
    bucket.#throttledUntilMs = saved.throttledUntilMs;
    bucket.#observe(nowMs);
    return bucket;
  }

  save(): SavedBucket {
    return { tokens: this.#tokensAt(this.#seenMs), atMs: this.#seenMs, throttledUntilMs: this.#throttledUntilMs };
  }

  /** Takes a token if there is one. */
  take(nowMs: number): boolean {
    this.#observe(nowMs);
    if (!this.#hasTokenAt(this.#seenMs)) return false;
    this.#taken++;
    return true;
  }

  /** Whole milliseconds until `take` will succeed if nobody comes before; 0 when it would now. */
  nextTokenMs(nowMs: number): number {
    this.#observe(nowMs);
    if (this.#hasTokenAt(this.#seenMs)) return 0;
    const missing = 1 - this.#tokensAt(this.#seenMs);
    const tokenAtMs = this.#seenMs + (missing * 1000) / this.#limit.perSecond;
    const waitMs = Math.ceil(Math.max(tokenAtMs, this.#throttledUntilMs ?? 0) - nowMs);
    // The quotient may be rounded down by less than the product is.
    return this.#hasTokenAt(nowMs + waitMs) ? waitMs : waitMs + 1;
  }

  /**
   * Gives no token before `untilMs` on Postgres's clock: what a `Retry-After` asks of the whole endpoint. The caller clamps it.
   * @returns false when as much was asked before.
   */
  throttleUntil(untilMs: number): boolean {
    if (this.#throttledUntilMs !== null && untilMs <= this.#throttledUntilMs) return false;
    this.#throttledUntilMs = untilMs;
    return true;
  }

  /** Until when there is no token whatever the rate allows; null when nothing was asked. In the past when it is over. */
  throttledUntilMs(nowMs: number): number | null {
    this.#observe(nowMs);
    return this.#throttledUntilMs;
  }

  /**
   * Moves on to `nowMs`, and drops tokens beyond the burst. A clock that steps back mints none: after a small step the bucket's time stands
   * still until the clock has caught up; after a large one it goes on from there, with the tokens and the remaining throttle as they were.
   */
  #observe(nowMs: number): void {
    const backMs = this.#seenMs - nowMs;
    if (backMs > PATIENCE_MS) {
      this.#startMs -= backMs;
      if (this.#throttledUntilMs !== null) this.#throttledUntilMs -= backMs;
    }
    if (backMs < 0 || backMs > PATIENCE_MS) this.#seenMs = nowMs;
    if (this.#tokensAt(this.#seenMs) < this.#limit.burst) return;
    this.#startMs = this.#seenMs;
    this.#startTokens = this.#limit.burst;
    this.#taken = 0;
  }

  #hasTokenAt(ms: number): boolean {
    return ms >= (this.#throttledUntilMs ?? ms) && this.#tokensAt(ms) >= 1;
  }

  /** May exceed the burst between a time and its observation. */
  #tokensAt(ms: number): number {
    return this.#startTokens - this.#taken + ((ms - this.#startMs) * this.#limit.perSecond) / 1000;
  }
}
