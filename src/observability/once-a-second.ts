/** Things that said something within the last second, at most: past that, those that said it first may say it again. */
const MOST_QUIET = 10_000;

/** Who has said something within the last second: a line a second is enough of each. */
export class OnceASecond {
  /**
   * When each was last told of, in that order, in ms of `performance.now()`: the host's clock may be set back, and everybody would be
   * silent until it has come so far again.
   */
  readonly #toldAt = new Map<string, number>();

  /** Whether it may say something now; it has, then. */
  may(key: string): boolean {
    const now = performance.now();
    if (now - (this.#toldAt.get(key) ?? Number.NEGATIVE_INFINITY) < 1_000) return false;
    this.#toldAt.delete(key);
    this.#toldAt.set(key, now);
    // In the order of their lines: those that are over come first.
    for (const [oldest, at] of this.#toldAt) {
      if (now - at < 1_000 && this.#toldAt.size <= MOST_QUIET) break;
      this.#toldAt.delete(oldest);
    }
    return true;
  }
}
