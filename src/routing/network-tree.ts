import type { IpNetwork } from './ip-network.ts';
import { HEAD } from './record-table.ts';
import type { WordArena } from './word-arena.ts';

/**
 * Words of a node: how many bits it stands for; the two nodes below it, by the next bit; its record; and an address that begins with its
 * bits.
 */
const NODE = { bits: 0, below: 1, record: 3, address: 4, words: 8 } as const;
const V4_GROUPS = 2;
/** The address that is being looked up, added or deleted, by words of 32 bits. */
const address = new Int32Array(NODE.words - NODE.address);

/**
 * Networks of both families, to be found by an address in them. For each family there is a binary tree of prefixes. A node stands for the
 * bits with which all below it begin. There is no node that has no record and does not part two others. A search goes down as long as the
 * address agrees with the node.
 */
export class NetworkTree {
  readonly #arena: WordArena;
  /** Of v4, and of v6. */
  readonly #roots: [number, number] = [0, 0];

  constructor(arena: WordArena) {
    this.#arena = arena;
  }

  get isEmpty(): boolean {
    return this.#roots[0] === 0 && this.#roots[1] === 0;
  }

  /** @param record of a network that is not there yet */
  add({ groups, bits }: IpNetwork, record: number): void {
    read(groups);
    const family = familyOf(groups);
    let parent = 0;
    let node = this.#roots[family];
    while (node !== 0 && this.#bitsOf(node) < bits && this.#agreesWith(node)) {
      parent = node;
      node = this.#below(node, bitAt(this.#bitsOf(node)));
    }
    if (node !== 0 && this.#bitsOf(node) === bits && this.#agreesWith(node)) {
      this.#arena.words[node + NODE.record] = record;
    } else this.#hang(family, parent, this.#above(node, this.#make(bits, record)));
  }

  /** @returns whether the network was there */
  delete({ groups, bits }: IpNetwork): boolean {
    read(groups);
    const family = familyOf(groups);
    let grandparent = 0;
    let parent = 0;
    let node = this.#roots[family];
    while (node !== 0 && this.#bitsOf(node) < bits) {
      grandparent = parent;
      parent = node;
      node = this.#below(node, bitAt(this.#bitsOf(node)));
    }
    const { words } = this.#arena;
    if (node === 0 || this.#bitsOf(node) !== bits || words[node + NODE.record] === 0) return false;
    if (!this.#agreesWith(node)) return false;
    words[node + NODE.record] = 0;
    this.#leaveOut(family, parent, node);
    if (parent !== 0) this.#leaveOut(family, grandparent, parent);
    return true;
  }

  /**
   * Tells `found` the records of the networks that an address is in, but for those that bear the mark.
   * @returns how many nodes it looked at
   */
  visit(groups: readonly number[], mark: number, found: (record: number) => void): number {
    const family = familyOf(groups);
    let node = this.#roots[family];
    if (node === 0) return 0;
    read(groups);
    const { words } = this.#arena;
    let steps = 0;
    // Words that agreed as a whole are not compared again further down.
    let whole = 0;
    while (node !== 0) {
      steps++;
      const bits = words[node]!;
      for (; whole < bits >> 5; whole++) if (words[node + NODE.address + whole] !== address[whole]) return steps;
      const rest = bits & 31;
      if (rest !== 0 && (words[node + NODE.address + whole]! ^ address[whole]!) >>> (32 - rest) !== 0) return steps;
      const record = words[node + NODE.record]!;
      if (record !== 0 && words[record + HEAD.mark] !== mark) found(record);
      node = words[node + NODE.below + ((address[whole & 3]! >>> (31 - rest)) & 1)]!;
    }
    return steps;
  }

  #bitsOf(node: number): number {
    return this.#arena.words[node]!;
  }

  #below(node: number, bit: number): number {
    return this.#arena.words[node + NODE.below + bit]!;
  }

  #agreesWith(node: number): boolean {
    const { words } = this.#arena;
    const bits = words[node]!;
    const whole = bits >> 5;
    for (let i = 0; i < whole; i++) if (words[node + NODE.address + i] !== address[i]) return false;
    const rest = bits & 31;
    return rest === 0 || (words[node + NODE.address + whole]! ^ address[whole]!) >>> (32 - rest) === 0;
  }

  #make(bits: number, record: number): number {
    const node = this.#arena.allocate(NODE.words);
    const { words } = this.#arena;
    words[node] = bits;
    words[node + NODE.record] = record;
    words.set(address, node + NODE.address);
    return node;
  }

  /** Puts a node that was made for the address at hand above another, or beside it. @returns what is above both then */
  #above(other: number, made: number): number {
    if (other === 0) return made;
    const bits = Math.min(this.#sharedWith(other), this.#bitsOf(made));
    const top = bits === this.#bitsOf(made) ? made : this.#make(bits, 0);
    const { words } = this.#arena;
    const bit = (words[other + NODE.address + (bits >> 5)]! >>> (31 - (bits & 31))) & 1;
    words[top + NODE.below + bit] = other;
    if (top !== made) words[top + NODE.below + 1 - bit] = made;
    return top;
  }

  /** How many bits of the node and the address at hand are the same, from the first on. */
  #sharedWith(node: number): number {
    const { words } = this.#arena;
    const bits = words[node]!;
    for (let i = 0; i * 32 < bits; i++) {
      const other = words[node + NODE.address + i]! ^ address[i]!;
      if (other !== 0) return Math.min(bits, i * 32 + Math.clz32(other));
    }
    return bits;
  }

  /** Takes a node out if it has no record and does not part two others. */
  #leaveOut(family: 0 | 1, parent: number, node: number): void {
    const [zero, one] = [this.#below(node, 0), this.#below(node, 1)];
    if (this.#arena.words[node + NODE.record] !== 0 || (zero !== 0 && one !== 0)) return;
    this.#hang(family, parent, zero || one);
    this.#arena.free(node, NODE.words);
  }

  /** Puts a node in its place below the parent, by the address at hand. */
  #hang(family: 0 | 1, parent: number, node: number): void {
    if (parent === 0) this.#roots[family] = node;
    else this.#arena.words[parent + NODE.below + bitAt(this.#bitsOf(parent))] = node;
  }
}

function familyOf(groups: readonly number[]): 0 | 1 {
  return groups.length === V4_GROUPS ? 0 : 1;
}

function read(groups: readonly number[]): void {
  for (let i = 0; i < groups.length; i += 2) address[i >> 1] = (groups[i]! << 16) | groups[i + 1]!;
}

/** @param at may be past the last bit: nothing is below a node of all bits, so that it does not matter which bit is read then */
function bitAt(at: number): number {
  return (address[(at >> 5) & 3]! >>> (31 - (at & 31))) & 1;
}
