/**
 * Things that come and go by the thousand a second. A Set would do, but for the tables that it leaves behind when it makes itself new ones: once they are
 * in V8's old space, each keeps alive what was in it, and the table after it, until the whole heap is collected.
 */
export class SlotList<T> {
  readonly #slots: (T | null)[] = [];
  readonly #free: number[] = [];

  /** @returns the slot, which `remove` takes */
  add(item: T): number {
    const slot = this.#free.pop() ?? this.#slots.length;
    this.#slots[slot] = item;
    return slot;
  }

  /** To be called once for each `add`. */
  remove(slot: number): void {
    this.#slots[slot] = null;
    this.#free.push(slot);
  }

  /** How many slots there are, free ones included. */
  get slots(): number {
    return this.#slots.length;
  }

  at(slot: number): T | null {
    return this.#slots[slot] ?? null;
  }

  /** In no particular order. */
  *[Symbol.iterator](): Iterator<T> {
    for (const item of this.#slots) if (item !== null) yield item;
  }
}
