/** Several values per key. One alone is kept without a list around it: most keys have one, and there may be a million. */
export class MultiMap<K, V extends object> {
  readonly #slots = new Map<K, V | V[]>();

  get size(): number {
    return this.#slots.size;
  }

  add(key: K, value: V): void {
    const slot = this.#slots.get(key);
    if (slot === undefined) this.#slots.set(key, value);
    else if (Array.isArray(slot)) slot.push(value);
    else this.#slots.set(key, [slot, value]);
  }

  delete(key: K, value: V): void {
    const slot = this.#slots.get(key);
    if (slot === value) this.#slots.delete(key);
    if (!Array.isArray(slot)) return;
    slot.splice(slot.indexOf(value), 1);
    if (slot.length === 1) this.#slots.set(key, slot[0]!);
  }

  find(key: K, isWanted: (value: V) => boolean): V | undefined {
    const slot = this.#slots.get(key);
    if (slot === undefined) return undefined;
    if (Array.isArray(slot)) return slot.find(isWanted);
    return isWanted(slot) ? slot : undefined;
  }

  visit(key: K, visit: (value: V) => void): void {
    const slot = this.#slots.get(key);
    if (slot === undefined) return;
    if (Array.isArray(slot)) for (const value of slot) visit(value);
    else visit(slot);
  }
}
