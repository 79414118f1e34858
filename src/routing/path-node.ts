import type { Spot } from './array-spot.ts';
import type { ListedWildcards } from './listed-wildcards.ts';
import type { PathProbes } from './path-probes.ts';
import type { Leaf } from './satisfies.ts';
import { SortedValues } from './sorted-values.ts';

/** An element of an array of the event, when the element is an object or an array itself. Compared by identity. */
export interface ArrayElement {
  readonly array: EventArray;
  /** The round in which it was last found good: see `one-array.ts`. */
  round: number;
  /** Made when a clause needs more than the round: see `array-consistency.ts`. */
  spot: Spot | null;
}

export interface EventArray {
  /** The element that the array is in; null when it is in none. */
  readonly within: ArrayElement | null;
  spot: Spot | null;
}

const KEPT_VALUES = 64;

let paths = 0;

/**
 * A path that filters ask about, and what the event at hand has there. `seq` is the number of the event that the values are of: for any
 * other event they mean nothing.
 */
export class PathNode {
  readonly parent: PathNode | null;
  readonly name: string;
  /** One of 31 bits. Paths with different bits are different; those with the same bit may be. */
  readonly bit: number;
  children: Map<string, PathNode> | null = null;
  /** How many things ask about its values. */
  uses = 0;
  /** Its number in the index that it belongs to. */
  id = 0;
  /** What its values are looked up by in that index. */
  probes: PathProbes | null = null;
  /** The wildcards in lists of conditions; null while there are none. */
  wildcards: ListedWildcards | null = null;
  seq = 0;
  values: Leaf[] = [];
  /** The element that each value is in; as long as `values`. */
  elements: (ArrayElement | null)[] = [];
  /** How many values are in elements of arrays. */
  inArrays = 0;
  #distinct: SortedValues | null = null;

  constructor(parent: PathNode | null, name: string) {
    this.parent = parent;
    this.name = name;
    this.bit = 1 << (paths++ % 31);
  }

  /** The values, each once, in the order in which they come first. */
  get distinct(): SortedValues {
    this.#distinct ??= new SortedValues([...new Set(this.values)]);
    return this.#distinct;
  }

  /** Lets go of the event's values. Arrays that an unusual event made large are not kept for the usual ones. */
  forgetValues(): void {
    this.#distinct = null;
    if (this.values.length > KEPT_VALUES) {
      this.values = [];
      this.elements = [];
    } else {
      // One by one: that keeps the arrays' memory for the next event, while a length of 0 would give it back.
      while (this.values.pop() !== undefined) this.elements.pop();
    }
  }

  /** The node of a path below, names joined by dots; made when it is new. */
  below(path: string): PathNode {
    let node: PathNode = this;
    for (const name of path.split('.')) node = node.#child(name);
    return node;
  }

  /** Takes the path out of the tree when nothing asks about it or what is below it any more. */
  prune(): void {
    if (this.parent === null || this.uses > 0 || (this.children?.size ?? 0) > 0) return;
    this.parent.children?.delete(this.name);
    this.parent.prune();
  }

  #child(name: string): PathNode {
    this.children ??= new Map();
    let child = this.children.get(name);
    if (child === undefined) {
      child = new PathNode(this, name);
      this.children.set(name, child);
    }
    return child;
  }
}
