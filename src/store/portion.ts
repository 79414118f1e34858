import { isStatementTimeout } from './lock-errors.ts';
import { withRetries } from './with-retries.ts';

/**
 * How many statements of one size must end in time before twice as many are tried: a statement that does not has taken as long as a
 * statement may.
 */
const TRUSTED_AFTER = 16;

/**
 * Decides how many things a statement is about: half as many when one takes longer than a statement may, and more again when many in a row
 * have ended in time.
 */
export class Portion {
  readonly #most: number;
  #size: number;
  #inTime = 0;

  /** @param most as many as it begins with, and never more */
  constructor(most: number) {
    this.#most = most;
    this.#size = most;
  }

  /**
   * Runs `run`, which stands by itself, with as many things as may be. It is run again if only others were in its way, and with fewer if it
   * takes too long.
   * @param signal ends it before the next try
   * @throws the signal's reason, and when a single thing takes too long
   */
  async run<T>(run: (size: number) => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (;;) {
      signal?.throwIfAborted();
      const size = this.#size;
      try {
        const result = await withRetries(() => run(size), signal);
        this.#grow();
        return result;
      } catch (error) {
        if (size === 1 || !isStatementTimeout(error)) throw error;
        this.#size = size >> 1;
        this.#inTime = 0;
      }
    }
  }

  #grow(): void {
    if (this.#size === this.#most || ++this.#inTime < TRUSTED_AFTER) return;
    this.#size = Math.min(this.#most, this.#size * 2);
    this.#inTime = 0;
  }
}
