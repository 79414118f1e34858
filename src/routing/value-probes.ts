import { writePrefix } from './condition-codec.ts';
import { ExactNumber } from './exact-number.ts';
import { parseIp } from './ip-network.ts';
import type { LengthSet } from './length-set.ts';
import { matchSteps } from './match-steps.ts';
import type { PathNetworks } from './path-networks.ts';
import type { PathNode } from './path-node.ts';
import type { TextProbe } from './path-probes.ts';
import { KIND } from './record-kind.ts';
import { tagOf } from './record-table.ts';
import type { Leaf } from './satisfies.ts';
import type { HashSink, SeededHash } from './seeded-hash.ts';
import { textNotes } from './text-notes.ts';
import { UnitBuffer } from './unit-buffer.ts';

/** Words of a probe. */
export const PROBE = { hash: 0, tag: 1, from: 2, length: 3, value: 4, record: 5, words: 8 } as const;

const INITIAL_PROBES = 16;
/** More of them at once would no longer be in the cache when they are needed. */
const MOST_PROBES = 1_024;
/** To read an address, in steps of `matchSteps`. */
const ADDRESS_STEPS = 16;
const LITERALS: readonly Leaf[] = [null, false, true];

/** What the values of an event are to be looked up by: a list of hashes, with the units that were hashed. */
export class ValueProbes implements HashSink {
  readonly buffer = new UnitBuffer();
  /** The texts that probes are of. */
  readonly texts: string[] = [];
  words = new Int32Array(INITIAL_PROBES * PROBE.words);
  count = 0;
  /** The mark of the event: a record that bears it was found already. */
  mark = 0;
  readonly #hash: SeededHash;
  readonly #whenFull: () => void;
  readonly #found: (record: number) => void;
  readonly #whole = [0];
  #tag = 0;
  #from = 0;
  #isDown = false;

  /**
   * @param whenFull called when no more probes fit: it looks up those that there are
   * @param found is told of what is found without a probe
   */
  constructor(hash: SeededHash, whenFull: () => void, found: (record: number) => void) {
    this.#hash = hash;
    this.#whenFull = whenFull;
    this.#found = found;
  }

  clear(): void {
    this.buffer.clear();
    this.texts.length = 0;
    this.count = 0;
  }

  add(path: PathNode, value: Leaf): void {
    const probes = path.probes!;
    if (typeof value === 'string') this.#addText(path, value);
    else if (typeof value === 'number') {
      if (probes.numbers > 0) this.#addUnits(tagOf(KIND.number, path.id), this.buffer.putDouble(value), 4);
    } else if (!(value instanceof ExactNumber) && probes.literals > 0) {
      this.#addUnits(tagOf(KIND.literal, path.id), this.buffer.putUnit(LITERALS.indexOf(value)), 1);
    }
  }

  /** @param length of the units, from `#from` up, or down to it */
  hashed(hash: number, length: number): void {
    if (this.count * PROBE.words === this.words.length) this.#makeRoom();
    const at = this.count * PROBE.words;
    this.words[at + PROBE.hash] = hash;
    this.words[at + PROBE.tag] = this.#tag;
    this.words[at + PROBE.from] = this.#isDown ? this.#from - length + 1 : this.#from;
    this.words[at + PROBE.length] = length;
    this.words[at + PROBE.value] = this.texts.length - 1;
    this.count++;
  }

  #addText(path: PathNode, text: string): void {
    const { texts, networks } = path.probes!;
    this.texts.push(text);
    if (networks.count > 0) this.#addNetworks(path, text, networks);
    let plain = -1;
    let folded = -1;
    let foldedLength = 0;
    for (const probe of texts) {
      if (!probe.isFolded) {
        if (plain === -1) plain = this.buffer.putText(text);
        this.#addProbe(path, probe, plain, text.length);
        continue;
      }
      if (folded === -1) {
        const other = textNotes.folded(text);
        folded = this.buffer.putText(other);
        foldedLength = other.length;
      }
      this.#addProbe(path, probe, folded, foldedLength);
    }
  }

  #addProbe(path: PathNode, { kind, side, lengths }: TextProbe, from: number, length: number): void {
    this.#tag = tagOf(kind, path.id);
    this.#from = from;
    this.#isDown = false;
    const { units } = this.buffer;
    switch (side) {
      case 'whole':
        if (lengths.has(length)) this.#addUnits(this.#tag, from, length);
        break;
      case 'start':
        this.#hash.walk(units, from, 1, lengths.sorted, lengths.upTo(length), this.#tag, this);
        break;
      case 'end':
        this.#from = from + length - 1;
        this.#isDown = true;
        this.#hash.walk(units, this.#from, -1, lengths.sorted, lengths.upTo(length), this.#tag, this);
        break;
      case 'within':
        this.#addWithin(path, lengths, from, length);
    }
  }

  #addWithin(path: PathNode, lengths: LengthSet, from: number, length: number): void {
    const { openings } = path.probes!;
    const { units } = this.buffer;
    const shortest = lengths.sorted[0]!;
    for (let at = from; at + shortest <= from + length; at++) {
      if (!openings.mayBegin(units, at)) continue;
      this.#from = at;
      this.#hash.walk(units, at, 1, lengths.sorted, lengths.upTo(from + length - at), this.#tag, this);
    }
  }

  #addNetworks(path: PathNode, text: string, { lengths, tree }: PathNetworks): void {
    const address = parseIp(text);
    if (address === null) return;
    for (const network of lengths.sorted) {
      if (network >>> 8 === address.length) {
        const from = writePrefix(address, network & 0xff, this.buffer);
        this.#addUnits(tagOf(KIND.cidr, path.id), from, this.buffer.end - from);
      }
    }
    matchSteps.take(ADDRESS_STEPS + tree.visit(address, this.mark, this.#found));
  }

  #addUnits(tag: number, from: number, length: number): void {
    this.#tag = tag;
    this.#from = from;
    this.#isDown = false;
    this.#whole[0] = length;
    this.#hash.walk(this.buffer.units, from, 1, this.#whole, 1, tag, this);
  }

  #makeRoom(): void {
    if (this.count === MOST_PROBES) {
      this.#whenFull();
      this.count = 0;
      return;
    }
    const words = new Int32Array(this.words.length * 2);
    words.set(this.words);
    this.words = words;
  }
}
