import { isRefusal } from './refusals.ts';

/** After this long without a write nobody knows any more whether one would be refused, in ms. */
const FORGET_MS = 60_000;

/** Knows whether Redis refuses what is written to it: it is there and answers, but has no memory left, or is a replica. */
export class WriteWatch {
  readonly #nowMs: () => number;
  #refusedAt = Number.NEGATIVE_INFINITY;

  /** @param nowMs a clock that never steps back, in ms */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  get refuses(): boolean {
    return this.#nowMs() - this.#refusedAt < FORGET_MS;
  }

  /** A write was taken. */
  took(): void {
    this.#refusedAt = Number.NEGATIVE_INFINITY;
  }

  failed(error: unknown): void {
    if (isRefusal(error)) this.#refusedAt = this.#nowMs();
  }
}
