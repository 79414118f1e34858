/** Records are handed out in multiples of this many words, so that freed ones fit again. */
const GRAIN = 4;
const SMALL_WORDS = 64;
const INITIAL_WORDS = 128;

/**
 * Records of 32-bit words in one typed array. A record is its offset, which is a multiple of 4 and never 0. So millions of records are one
 * object for the garbage collector, and what belongs together lies together. The views change when the arena grows, and must not be kept.
 */
export class WordArena {
  words = new Int32Array(INITIAL_WORDS);
  /** The same memory in units of UTF-16, and in bytes. */
  units = new Uint16Array(this.words.buffer);
  bytes = new Uint8Array(this.words.buffer);
  /** Words in records that are not freed. */
  used = 0;
  #end = GRAIN;
  /** By size: the first of the freed records, each of which begins with the offset of the next. */
  readonly #freed = new Map<number, number>();

  /** A record of zeros. */
  allocate(words: number): number {
    const size = sizeFor(words);
    this.used += size;
    const freed = this.#freed.get(size) ?? 0;
    if (freed !== 0) {
      this.#freed.set(size, this.words[freed]!);
      this.words[freed] = 0;
      return freed;
    }
    if (this.#end + size > this.words.length) this.#grow(this.#end + size);
    const at = this.#end;
    this.#end += size;
    return at;
  }

  /** @param words what it was allocated with */
  free(at: number, words: number): void {
    const size = sizeFor(words);
    this.used -= size;
    this.words.fill(0, at, at + size);
    this.words[at] = this.#freed.get(size) ?? 0;
    this.#freed.set(size, at);
  }

  #grow(least: number): void {
    const words = new Int32Array(Math.max(least, Math.ceil(this.words.length * 1.5)));
    words.set(this.words);
    this.words = words;
    this.units = new Uint16Array(words.buffer);
    this.bytes = new Uint8Array(words.buffer);
  }
}

/**
 * Small sizes are multiples of 4 words, large ones of an eighth to a quarter of themselves: so there are few sizes, and freed records fit
 * again.
 */
function sizeFor(words: number): number {
  const step = words <= SMALL_WORDS ? GRAIN : Math.max(GRAIN, 2 ** (29 - Math.clz32(words)));
  return Math.ceil(words / step) * step;
}
