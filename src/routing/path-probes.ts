import { LengthSet } from './length-set.ts';
import { PathNetworks } from './path-networks.ts';
import { KIND } from './record-kind.ts';
import type { WordArena } from './word-arena.ts';

/** How texts are looked up for one kind of record: whole, or by each of their beginnings, ends or parts that has one of the lengths. */
export interface TextProbe {
  readonly kind: number;
  readonly side: 'whole' | 'start' | 'end' | 'within';
  readonly isFolded: boolean;
  readonly lengths: LengthSet;
}

const TEXTS: Readonly<Record<number, readonly [TextProbe['side'], boolean]>> = {
  [KIND.string]: ['whole', false],
  [KIND.equals]: ['whole', true],
  [KIND.prefix]: ['start', false],
  [KIND.foldedPrefix]: ['start', true],
  [KIND.suffix]: ['end', false],
  [KIND.foldedSuffix]: ['end', true],
  [KIND.atStart]: ['start', false],
  [KIND.atEnd]: ['end', false],
  [KIND.within]: ['within', false],
};

/** How the values of one path are looked up: by what kinds of records there are, and of which lengths. */
export class PathProbes {
  readonly texts: TextProbe[] = [];
  readonly networks: PathNetworks;
  /** Knows where in a text a literal of the kind `within` may begin. */
  readonly openings = new Openings();
  numbers = 0;
  literals = 0;

  constructor(arena: WordArena) {
    this.networks = new PathNetworks(arena);
  }

  /** @param first the first two of its units */
  add(kind: number, length: number, first: readonly [number, number]): void {
    const text = TEXTS[kind];
    if (text !== undefined) this.#textsOf(kind, text).lengths.add(length);
    else this.#count(kind, 1);
    if (kind === KIND.within) this.openings.add(length, first, 1);
  }

  delete(kind: number, length: number, first: readonly [number, number]): void {
    const text = TEXTS[kind];
    if (text !== undefined) {
      const probe = this.#textsOf(kind, text);
      probe.lengths.delete(length);
      if (probe.lengths.sorted.length === 0) this.texts.splice(this.texts.indexOf(probe), 1);
    } else this.#count(kind, -1);
    if (kind === KIND.within) this.openings.add(length, first, -1);
  }

  #textsOf(kind: number, [side, isFolded]: readonly [TextProbe['side'], boolean]): TextProbe {
    const known = this.texts.find((probe) => probe.kind === kind);
    if (known !== undefined) return known;
    const probe: TextProbe = { kind, side, isFolded, lengths: new LengthSet() };
    this.texts.push(probe);
    return probe;
  }

  #count(kind: number, change: number): void {
    if (kind === KIND.number) this.numbers += change;
    else if (kind === KIND.literal) this.literals += change;
  }
}

const BUCKETS = 512;

/**
 * Remembers with which two units the literals begin that are looked for everywhere in a text, by hashes. At most places of a text none of
 * them begins, and nothing more has to be looked up there.
 */
class Openings {
  #counts: Uint32Array | null = null;
  /** Literals that are too short to have two units. */
  #short = 0;

  add(length: number, first: readonly [number, number], change: number): void {
    if (length < 2) this.#short += change;
    else {
      this.#counts ??= new Uint32Array(BUCKETS);
      this.#counts[bucketOf(first[0], first[1])]! += change;
    }
  }

  mayBegin(units: Uint16Array, at: number): boolean {
    return this.#short > 0 || (this.#counts !== null && this.#counts[bucketOf(units[at]!, units[at + 1]!)]! > 0);
  }
}

function bucketOf(one: number, two: number): number {
  return (Math.imul(one, 0x9e3779b1) ^ Math.imul(two, 0x85ebca77)) >>> 23;
}
