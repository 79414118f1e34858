import { isReadDown, KIND_BITS } from './record-kind.ts';
import type { SeededHash } from './seeded-hash.ts';
import type { UnitBuffer } from './unit-buffer.ts';
import type { WordArena } from './word-arena.ts';

/** The words at the head of a record; after them its units, as bytes when all of them fit. */
export const HEAD = {
  /** Kind, whether the units are 16 bits wide, path. */
  tag: 0,
  refs: 1,
  /** The mark of the event that found it last. */
  mark: 2,
  /** Neighbours in a chain of wildcards with the same literal; of the literal, `next` is the first. */
  next: 3,
  previous: 4,
  /** At how many places of the tree it leads on. */
  edges: 5,
  hash: 6,
  length: 7,
  words: 8,
} as const;

const WIDE = 1 << KIND_BITS;
const PATH_SHIFT = KIND_BITS + 1;
const INITIAL_SLOTS = 16;

/** What is the same about all records of a kind and a path. */
export function tagOf(kind: number, path: number): number {
  return kind | (path << PATH_SHIFT);
}

export function kindIn(tag: number): number {
  return tag & (WIDE - 1);
}

export function pathIn(tag: number): number {
  return tag >>> PATH_SHIFT;
}

/**
 * Records, each once, found by what they say. The table is open-addressed, of hashes and offsets. A lookup touches a record only where all
 * 32 bits of the hash agree, and takes it only if kind, path and units are the same.
 */
export class RecordTable {
  readonly #arena: WordArena;
  readonly #hash: SeededHash;
  /** Two words a slot: hash and record. */
  slots = new Int32Array(INITIAL_SLOTS * 2);
  size = 0;

  constructor(arena: WordArena, hash: SeededHash) {
    this.#arena = arena;
    this.#hash = hash;
  }

  /** The record with this tag and the units of the buffer from `from` on, made when it is new. */
  intern(tag: number, buffer: UnitBuffer, from: number): number {
    const length = buffer.end - from;
    const hash = this.#hashOf(tag, buffer.units, from, length);
    return this.find(hash, tag, buffer.units, from, length) || this.#add(hash, tag, buffer.units, from, length);
  }

  /** The same; 0 when there is none. */
  lookUp(tag: number, buffer: UnitBuffer, from: number): number {
    const length = buffer.end - from;
    return this.find(this.#hashOf(tag, buffer.units, from, length), tag, buffer.units, from, length);
  }

  find(hash: number, tag: number, units: Uint16Array, from: number, length: number): number {
    const { slots } = this;
    const end = slots.length - 1;
    for (let at = (hash << 1) & end; ; at = (at + 2) & end) {
      const record = slots[at + 1]!;
      if (record === 0) return 0;
      if (slots[at] === hash && this.#says(record, tag, units, from, length)) return record;
    }
  }

  /** The first record whose hash is the same, whatever it says; 0 when there is none. */
  guess(hash: number): number {
    const { slots } = this;
    const end = slots.length - 1;
    for (let at = (hash << 1) & end; ; at = (at + 2) & end) {
      const record = slots[at + 1]!;
      if (record === 0 || slots[at] === hash) return record;
    }
  }

  /** Where the units of a record can be read, until the arena is changed. */
  unitsOf(record: number): { units: Uint16Array | Uint8Array; from: number; length: number } {
    const { words, units, bytes } = this.#arena;
    const length = words[record + HEAD.length]!;
    const isWide = (words[record]! & WIDE) !== 0;
    const start = record + HEAD.words;
    return isWide ? { units, from: start * 2, length } : { units: bytes, from: start * 4, length };
  }

  remove(record: number): void {
    const { words } = this.#arena;
    this.#removeSlot(words[record + HEAD.hash]!, record);
    this.#arena.free(record, wordsFor(words[record + HEAD.length]!, (words[record]! & WIDE) !== 0));
    this.size--;
    const count = this.slots.length >>> 1;
    if (count > INITIAL_SLOTS && this.size * 8 < count) this.#resize(count / 2);
  }

  forgetMarks(): void {
    for (let at = 0; at < this.slots.length; at += 2) {
      if (this.slots[at + 1] !== 0) this.#arena.words[this.slots[at + 1]! + HEAD.mark] = 0;
    }
  }

  #hashOf(tag: number, units: Uint16Array, from: number, length: number): number {
    const isDown = isReadDown(kindIn(tag));
    return this.#hash.walk(units, isDown ? from + length - 1 : from, isDown ? -1 : 1, [length], 1, tag, null);
  }

  #says(record: number, tag: number, units: Uint16Array, from: number, length: number): boolean {
    const arena = this.#arena;
    if ((arena.words[record]! & ~WIDE) !== tag || arena.words[record + HEAD.length] !== length) return false;
    const isWide = (arena.words[record]! & WIDE) !== 0;
    const own = isWide ? arena.units : arena.bytes;
    const start = (record + HEAD.words) * (isWide ? 2 : 4);
    for (let i = 0; i < length; i++) if (own[start + i] !== units[from + i]) return false;
    return true;
  }

  #add(hash: number, tag: number, units: Uint16Array, from: number, length: number): number {
    const isWide = units.subarray(from, from + length).some((unit) => unit > 0xff);
    const record = this.#arena.allocate(wordsFor(length, isWide));
    const { words } = this.#arena;
    words[record] = isWide ? tag | WIDE : tag;
    words[record + HEAD.hash] = hash;
    words[record + HEAD.length] = length;
    const start = (record + HEAD.words) * (isWide ? 2 : 4);
    (isWide ? this.#arena.units : this.#arena.bytes).set(units.subarray(from, from + length), start);
    if (++this.size * 16 > this.slots.length * 5) this.#resize(this.slots.length);
    this.#put(hash, record);
    return record;
  }

  #put(hash: number, record: number): void {
    const end = this.slots.length - 1;
    let at = (hash << 1) & end;
    while (this.slots[at + 1] !== 0) at = (at + 2) & end;
    this.slots[at] = hash;
    this.slots[at + 1] = record;
  }

  #removeSlot(hash: number, record: number): void {
    const { slots } = this;
    const end = slots.length - 1;
    let hole = (hash << 1) & end;
    while (slots[hole + 1] !== record) hole = (hole + 2) & end;
    // An entry behind the hole moves into it, unless its own lookup begins behind the hole.
    for (let at = (hole + 2) & end; slots[at + 1] !== 0; at = (at + 2) & end) {
      const home = (slots[at]! << 1) & end;
      if (((at - home) & end) < ((at - hole) & end)) continue;
      slots[hole] = slots[at]!;
      slots[hole + 1] = slots[at + 1]!;
      hole = at;
    }
    slots[hole] = 0;
    slots[hole + 1] = 0;
  }

  /** @param count slots */
  #resize(count: number): void {
    const old = this.slots;
    this.slots = new Int32Array(count * 2);
    for (let at = 0; at < old.length; at += 2) if (old[at + 1] !== 0) this.#put(old[at]!, old[at + 1]!);
  }
}

function wordsFor(length: number, isWide: boolean): number {
  return HEAD.words + (isWide ? (length + 1) >>> 1 : (length + 3) >>> 2);
}
