/**
 * How often endpoints with parked rows are looked for again, in ms: at least, and per endpoint. Where they are many, looking takes long.
 */
const EXPLORE_MS = 10_000;
const EXPLORE_MS_PER_ENDPOINT = 20;

/** Decides when the endpoints of a lane that have parked rows are looked for again. Times are in ms of `performance.now()`. */
export class Exploration {
  #dueAt = 0;

  isDue(now: number): boolean {
    return now >= this.#dueAt;
  }

  /** So many endpoints with parked rows were found just now. */
  found(endpoints: number, now: number): void {
    this.#dueAt = now + Math.max(EXPLORE_MS, endpoints * EXPLORE_MS_PER_ENDPOINT);
  }
}
