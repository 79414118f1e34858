/** How long an idle lane lingers before it is given back, in ms. */
const LINGER_MS = 250;
/** How often an awake lane looks for rows that nobody woke it for, in ms, while it is busy. */
const BUSY_POLL_MS = 10;
/** The same when it has been quiet. */
const QUIET_POLL_MS = 100;

/** Knows when rows last came to a lane, and from that how often it is read, and how long it is kept. Times are in ms of `performance.now()`. */
export class LanePace {
  /** When a read last brought rows that were not in memory. */
  #foundAt: number;
  /** When rows were last handed over in memory. */
  #handedAt = Number.NEGATIVE_INFINITY;

  constructor(now: number) {
    this.#foundAt = now;
  }

  onFreshRows(now: number): void {
    this.#foundAt = now;
  }

  onHandedRows(now: number): void {
    this.#handedAt = now;
  }

  /** Whether it is time to read the lane although nobody woke it. What is handed over in memory need not be read, and does not count. */
  isPollDue(fetchedAt: number, now: number): boolean {
    return now - fetchedAt >= (now - this.#foundAt < LINGER_MS ? BUSY_POLL_MS : QUIET_POLL_MS);
  }

  /** Whether nothing came for so long that the lane may be given back. */
  hasLingered(now: number): boolean {
    return now - Math.max(this.#foundAt, this.#handedAt) >= LINGER_MS;
  }
}
