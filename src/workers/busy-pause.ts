/** From this share of its time on, the event loop counts as busy; when it never waits, the pause is the longest. */
const BUSY = 0.8;
const LONGEST_MS = 25;
const SAMPLE_MS = 100;

/**
 * How long a process that is busy lets events gather before it reads again. What is read then comes in fewer statements and larger batches, which
 * costs less for each; a process that waits anyway reads at once. Tied to the event loop rather than to what is in memory: a receiver that
 * hangs must not slow down what is read for others.
 */
export class BusyPause {
  readonly #utilization: typeof performance.eventLoopUtilization;
  #last: ReturnType<typeof performance.eventLoopUtilization>;
  #sampledAt = performance.now();
  #ms = 0;

  /** @param utilization of the event loop since a former reading, as `performance` tells it */
  constructor(utilization: typeof performance.eventLoopUtilization = performance.eventLoopUtilization) {
    this.#utilization = utilization;
    this.#last = utilization();
  }

  /** The least time between two reads, in ms; 0 when the process is not busy. */
  get ms(): number {
    const now = performance.now();
    if (now - this.#sampledAt < SAMPLE_MS) return this.#ms;
    const current = this.#utilization();
    const { utilization } = this.#utilization(current, this.#last);
    this.#last = current;
    this.#sampledAt = now;
    this.#ms = Math.max(0, ((utilization - BUSY) / (1 - BUSY)) * LONGEST_MS);
    return this.#ms;
  }
}
