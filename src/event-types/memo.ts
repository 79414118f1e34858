export interface MemoCapacity<Key, Value> {
  readonly entries: number;
  /** The most that all values may weigh together; absent: no bound. */
  readonly weight?: { readonly most: number; readonly of: (value: Value) => number };
  /**
   * Owners of keys that have more than a share of the whole make room for all, so that nobody's values are pushed out by the many keys of
   * another.
   */
  readonly owners?: { readonly share: number; readonly of: (key: Key) => string };
}

interface Slot<Value> {
  readonly promise: Promise<Value>;
  /** Present once the value is made. */
  value?: Value;
  weight: number;
}

/**
 * Keeps the values that keys stand for. A value is made once, and shared by those who ask while it is being made. It is kept until it is
 * pushed out as the least recently used. Failures are not kept.
 */
export class Memo<Key, Value> {
  readonly #capacity: MemoCapacity<Key, Value>;
  readonly #slots = new Map<Key, Slot<Value>>();
  #weight = 0;

  constructor(capacity: MemoCapacity<Key, Value>) {
    this.#capacity = capacity;
  }

  get(key: Key, make: () => Promise<Value>): Promise<Value> {
    const known = this.#slots.get(key);
    if (known === undefined) return this.#make(key, make);
    this.#touch(key, known);
    return known.promise;
  }

  /** The value of a key, if it is made already. */
  peek(key: Key): Value | undefined {
    const known = this.#slots.get(key);
    if (known?.value === undefined) return undefined;
    this.#touch(key, known);
    return known.value;
  }

  delete(key: Key): void {
    this.#weight -= this.#slots.get(key)?.weight ?? 0;
    this.#slots.delete(key);
  }

  get size(): number {
    return this.#slots.size;
  }

  #touch(key: Key, slot: Slot<Value>): void {
    const { entries, weight } = this.#capacity;
    // As long as there is much room, the order does not matter.
    if (weight === undefined && this.#slots.size * 2 <= entries) return;
    this.#slots.delete(key);
    this.#slots.set(key, slot);
  }

  #make(key: Key, make: () => Promise<Value>): Promise<Value> {
    const slot: Slot<Value> = { promise: make(), weight: 0 };
    this.#slots.set(key, slot);
    slot.promise.then(
      (value) => this.#weigh(key, slot, value),
      () => this.#slots.get(key) === slot && this.delete(key),
    );
    this.#trim();
    return slot.promise;
  }

  #weigh(key: Key, slot: Slot<Value>, value: Value): void {
    if (this.#slots.get(key) !== slot) return;
    slot.value = value;
    slot.weight = this.#capacity.weight?.of(value) ?? 0;
    this.#weight += slot.weight;
    this.#trim();
  }

  #trim(): void {
    while (this.#slots.size > 1 && this.#exceeds(this.#slots.size, this.#weight, 1)) this.delete(this.#leastMissed());
  }

  #exceeds(size: number, heft: number, share: number): boolean {
    const { entries, weight } = this.#capacity;
    return size > entries * share || (weight !== undefined && heft > weight.most * share);
  }

  #leastMissed(): Key {
    const [oldest] = this.#slots.keys();
    const { owners } = this.#capacity;
    if (owners === undefined) return oldest!;
    const byOwner = [...Map.groupBy(this.#slots, ([key]) => owners.of(key)).values()];
    const greedy = byOwner.filter((own) => this.#exceeds(own.length, heftOf(own), owners.share));
    const eldest = new Set(greedy.map(([first]) => first![0]));
    for (const key of this.#slots.keys()) if (eldest.has(key)) return key;
    return oldest!;
  }
}

function heftOf(slots: readonly (readonly [unknown, { readonly weight: number }])[]): number {
  return slots.reduce((sum, [, { weight }]) => sum + weight, 0);
}
