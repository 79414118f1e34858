import { readPrefix } from './condition-codec.ts';
import { LengthSet } from './length-set.ts';
import { NetworkTree } from './network-tree.ts';
import type { WordArena } from './word-arena.ts';

/** A lookup by hash waits for memory once, a tree as often as it is deep: few lengths are cheaper to look up, many are not. */
const MOST_LENGTHS = 4;

/**
 * The networks that one path is asked about. Those of the first few lengths are looked up by hash, once for each length; those of
 * further lengths are in a tree, so that what an address costs does not grow with how many lengths there are.
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
    // Of one length some may be in the tree, from when there were other lengths.
    if (this.tree.isEmpty || !this.tree.delete(readPrefix(units))) this.lengths.delete(units[0]!);
  }
}
