import { readPrefix } from './condition-codec.ts';
import { LengthSet } from './length-set.ts';
import { NetworkTree } from './network-tree.ts';
import type { WordArena } from './word-arena.ts';

/**
 * How many lengths are looked up by hash. A hash waits for memory once for each length, a tree once for each level: hashes are cheaper
 * where lengths are few.
 */
const MOST_LENGTHS = 4;

/**
 * The networks that one path is asked about. Those of the first few lengths are looked up by hash, once for each length. Networks of
 * further lengths are in a tree, so that what an address costs does not grow with the number of lengths.
 */
export class PathNetworks {
  /** Family and length of the prefix, as in the first unit of a network. */
  readonly lengths = new LengthSet();
  readonly tree: NetworkTree;
  count = 0;

  constructor(arena: WordArena) {
    this.tree = new NetworkTree(arena);
  }

  /** @param units of the record, which is new */
  add(units: Uint16Array, record: number): void {
    const length = units[0]!;
    this.count++;
    if (this.lengths.sorted.length < MOST_LENGTHS || this.lengths.has(length)) this.lengths.add(length);
    else this.tree.add(readPrefix(units), record);
  }

  delete(units: Uint16Array): void {
    this.count--;
    // Networks of one length may be in both: those that came while there were too many other lengths went into the tree.
    if (this.tree.isEmpty || !this.tree.delete(readPrefix(units))) this.lengths.delete(units[0]!);
  }
}
