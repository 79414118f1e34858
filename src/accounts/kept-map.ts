/** Below this many entries none is looked for that could go. */
const FEW = 4_096;

/**
 * A Map by number whose values stay when nothing is to be said of them any more, and go together now and then. On the hot path, where entries
 * would come and go by the thousand a second: each time that a Map has had as many as it has place for, V8 makes its table anew, and the old
 * ones, dead as they are, keep alive whatever was in them until all of memory is collected.
 */
export class KeptMap<V> {
  readonly #values = new Map<number, V>();
  readonly #make: (num: number) => V;
  readonly #isIdle: (value: V) => boolean;
  #sweepAt = FEW;

  /** @param isIdle whether a value is as if it had just been made */
  constructor(make: (num: number) => V, isIdle: (value: V) => boolean) {
    this.#make = make;
    this.#isIdle = isIdle;
  }

  /** The value of a number, made if need be. */
  of(num: number): V {
    const known = this.#values.get(num);
    if (known !== undefined) return known;
    if (this.#values.size >= this.#sweepAt) this.#sweep();
    const made = this.#make(num);
    this.#values.set(num, made);
    return made;
  }

  get(num: number): V | undefined {
    return this.#values.get(num);
  }

  values(): Iterable<V> {
    return this.#values.values();
  }

  get size(): number {
    return this.#values.size;
  }

  #sweep(): void {
    for (const [num, value] of this.#values) if (this.#isIdle(value)) this.#values.delete(num);
    this.#sweepAt = Math.max(FEW, 2 * this.#values.size);
  }
}
