import type { InflationError } from '../brokers/guard-inflation.ts';

/** How long batches are fetched one by one after an answer of several was too large. */
const CAREFUL_MS = 60_000;

const TOO_LARGE =
  'A batch of messages cannot be taken into memory: set the offset of the group past it, or let its producer send smaller batches';

/**
 * How much a source fetches at a time. Where several batches together are too large once they are inflated, each may still be had alone: for
 * a minute, and for another whenever that happens again, a fetch asks for one.
 */
export class FetchCaution {
  readonly #nowMs: () => number;
  #untilMs = Number.NEGATIVE_INFINITY;

  constructor(nowMs = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  get isCareful(): boolean {
    return this.#nowMs() < this.#untilMs;
  }

  /** An answer was too large. @param wasOne whether a single batch had been asked for @returns what to tell of it */
  refuse(error: InflationError, wasOne: boolean): Error {
    this.#untilMs = this.#nowMs() + CAREFUL_MS;
    return wasOne ? new Error(`${TOO_LARGE} (${error.message}).`) : error;
  }
}
