/** How many things there are of each length, and which lengths there are. */
export class LengthSet {
  /** Rising. */
  readonly sorted: number[] = [];
  readonly #counts = new Map<number, number>();

  has(length: number): boolean {
    return this.#counts.has(length);
  }

  add(length: number): void {
    const count = this.#counts.get(length) ?? 0;
    this.#counts.set(length, count + 1);
    if (count === 0) this.sorted.splice(this.upTo(length), 0, length);
  }

  delete(length: number): void {
    const count = this.#counts.get(length)!;
    if (count > 1) {
      this.#counts.set(length, count - 1);
      return;
    }
    this.#counts.delete(length);
    this.sorted.splice(this.sorted.indexOf(length), 1);
  }

  /** How many of the lengths are at most this. */
  upTo(most: number): number {
    let low = 0;
    let high = this.sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.sorted[middle]! <= most) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
