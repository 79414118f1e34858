/**
 * A token bucket: it fills by `perSecond` up to `burst`, and what is spent leaves it. In any window of t seconds at most
 * burst + perSecond × t is spent, as long as nothing costs more than the burst. Time is the caller's, in ms, and must not run backwards.
 */
export class SpendingBucket {
  #perSecond: number;
  #burst: number;
  #tokens: number;
  #atMs: number;

  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#atMs = nowMs;
  }

  /** Changes what holds from now on. What there is stays, as far as the new burst goes. */
  configure(perSecond: number, burst: number, nowMs: number): void {
    this.#fill(nowMs);
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = Math.min(this.#tokens, burst);
  }

  /** Milliseconds until this much may be spent; 0: now. What costs more than the burst may be spent when the bucket is full. */
  waitMs(cost: number, nowMs: number): number {
    this.#fill(nowMs);
    const missing = Math.min(cost, this.#burst) - this.#tokens;
    return missing <= 0 ? 0 : (missing / this.#perSecond) * 1000;
  }

  /** Takes the tokens, below zero if need be: the caller has asked `waitMs`. */
  spend(cost: number, nowMs: number): void {
    this.#fill(nowMs);
    this.#tokens -= cost;
  }

  /** Takes as much of the cost as is there. */
  drain(cost: number, nowMs: number): void {
    this.spend(Math.min(cost, this.left(nowMs)), nowMs);
  }

  /** Tokens that are there. */
  left(nowMs: number): number {
    this.#fill(nowMs);
    return Math.max(0, this.#tokens);
  }

  /** Milliseconds until it is full again. */
  fullInMs(nowMs: number): number {
    this.#fill(nowMs);
    return ((this.#burst - this.#tokens) / this.#perSecond) * 1000;
  }

  #fill(nowMs: number): void {
    if (nowMs <= this.#atMs) return;
    this.#tokens = Math.min(this.#burst, this.#tokens + ((nowMs - this.#atMs) / 1000) * this.#perSecond);
    this.#atMs = nowMs;
  }
}
