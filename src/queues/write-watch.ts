import { isRefusal } from './refusals.ts';

/** For how long a refused write counts, in ms: after that nobody knows whether the next one would be refused. */
const FORGET_MS = 60_000;

/** Knows whether Redis refuses writes although it is there and answers, for example because it has no memory left or is a replica. */
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
