const INITIAL_SLOTS = 16;
const SLOT = 4;

/**
 * A hash table from two integers to two, in one typed array: a lookup touches one cache line, seldom two. The first integer of a key is
 * never 0, which marks a free slot. Places are valid until the next `set` or `delete`.
 */
export class PairMap {
  /** Four words a slot: the key and the values. */
  slots = new Int32Array(INITIAL_SLOTS * SLOT);
  size = 0;
  #mask = INITIAL_SLOTS - 1;
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** The place where a lookup of the key begins. */
  home(a: number, b: number): number {
    let hash = Math.imul(a ^ this.#seed, 0x9e3779b1) ^ Math.imul(b, 0x85ebca77);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
    return ((hash ^ (hash >>> 15)) & this.#mask) * SLOT;
  }

  /** The place of the key, -1 when it is not there. @param from its home */
  findFrom(from: number, a: number, b: number): number {
    const { slots } = this;
    const end = slots.length - 1;
    let at = from;
    while (slots[at] !== 0) {
      if (slots[at] === a && slots[at + 1] === b) return at;
      at = (at + SLOT) & end;
    }
    return -1;
  }

  find(a: number, b: number): number {
    return this.findFrom(this.home(a, b), a, b);
  }

  /** The first value; 0 when the key is not there. */
  get(a: number, b: number): number {
    const at = this.find(a, b);
    return at === -1 ? 0 : this.slots[at + 2]!;
  }

  set(a: number, b: number, value: number, other = 0): void {
    let at = this.find(a, b);
    if (at === -1) {
      if (this.size * 8 >= (this.#mask + 1) * 5) this.#resize((this.#mask + 1) * 2);
      at = this.#freeSlot(a, b);
      this.size++;
    }
    this.slots[at] = a;
    this.slots[at + 1] = b;
    this.slots[at + 2] = value;
    this.slots[at + 3] = other;
  }

  delete(a: number, b: number): void {
    let hole = this.find(a, b);
    if (hole === -1) return;
    this.size--;
    const { slots } = this;
    const end = slots.length - 1;
    // An entry behind the hole moves into it, unless its own lookup begins behind the hole.
    for (let at = (hole + SLOT) & end; slots[at] !== 0; at = (at + SLOT) & end) {
      const home = this.home(slots[at]!, slots[at + 1]!);
      if (((at - home) & end) < ((at - hole) & end)) continue;
      slots.copyWithin(hole, at, at + SLOT);
      hole = at;
    }
    slots.fill(0, hole, hole + SLOT);
    if (this.#mask >= INITIAL_SLOTS && this.size * 8 < this.#mask + 1) this.#resize((this.#mask + 1) / 2);
  }

  #freeSlot(a: number, b: number): number {
    const end = this.slots.length - 1;
    let at = this.home(a, b);
    while (this.slots[at] !== 0) at = (at + SLOT) & end;
    return at;
  }

  #resize(count: number): void {
    const old = this.slots;
    this.slots = new Int32Array(count * SLOT);
    this.#mask = count - 1;
    for (let from = 0; from < old.length; from += SLOT) {
      if (old[from] === 0) continue;
      const at = this.#freeSlot(old[from]!, old[from + 1]!);
      for (let i = 0; i < SLOT; i++) this.slots[at + i] = old[from + i]!;
    }
  }
}
