/** Things that said something within the last second, at most: past that, those that said it first may say it again. */
const MOST_QUIET = 10_000;

/** Who has said something within the last second: a line a second is enough of each. */
export class OnceASecond {
  /** When each was last told of, in that order. */
  readonly #toldAt = new Map<string, number>();

  /** Whether it may say something now; it has, then. */
  may(key: string): boolean {
    const now = Date.now();
    if (now - (this.#toldAt.get(key) ?? 0) < 1_000) return false;
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
