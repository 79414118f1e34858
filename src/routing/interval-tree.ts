export interface Interval {
  readonly low: number;
  readonly high: number;
}

interface Item<V> extends Interval {
  readonly value: V;
  /** Decides between equal lows, and, scrambled, the shape of the tree. */
  readonly order: number;
  readonly priority: number;
  /** The greatest `high` of this node and all below it. */
  reach: number;
  left: Item<V> | null;
  right: Item<V> | null;
}

/** Closed intervals, found by a point inside: a treap by `low` whose nodes know how far those below them reach. */
export class IntervalTree<V> {
  #root: Item<V> | null = null;
  #count = 0;
  size = 0;
  readonly #items = new Map<V, Item<V>[]>();

  add({ low, high }: Interval, value: V): void {
    this.size++;
    const order = this.#count++;
    const item: Item<V> = { low, high, value, order, priority: scramble(order), reach: high, left: null, right: null };
    const items = this.#items.get(value);
    if (items === undefined) this.#items.set(value, [item]);
    else items.push(item);
    const [before, after] = split(this.#root, item);
    this.#root = merge(merge(before, item), after);
  }

  delete({ low, high }: Interval, value: V): void {
    const items = this.#items.get(value) ?? [];
    const at = items.findIndex((item) => item.low === low && item.high === high);
    if (at === -1) return;
    const [item] = items.splice(at, 1);
    if (items.length === 0) this.#items.delete(value);
    this.#root = without(this.#root, item!);
    this.size--;
  }

  /** Calls `inside` for the intervals that reach to both sides of the point, and `atEnd` for those of which it is an end. */
  visit(point: number, inside: (value: V) => void, atEnd: (value: V) => void): void {
    visitAt(this.#root, point, inside, atEnd);
  }
}

function visitAt<V>(item: Item<V> | null, point: number, inside: (value: V) => void, atEnd: (value: V) => void): void {
  if (item === null || item.reach < point) return;
  visitAt(item.left, point, inside, atEnd);
  if (item.low > point) return;
  if (item.high > point && item.low < point) inside(item.value);
  else if (item.high >= point) atEnd(item.value);
  visitAt(item.right, point, inside, atEnd);
}

function isBefore(a: Item<unknown>, b: Item<unknown>): boolean {
  return a.low !== b.low ? a.low < b.low : a.order < b.order;
}

/** What is before the item, and what is not. */
function split<V>(tree: Item<V> | null, item: Item<V>): [Item<V> | null, Item<V> | null] {
  if (tree === null) return [null, null];
  if (isBefore(tree, item)) {
    const [left, right] = split(tree.right, item);
    tree.right = left;
    return [updated(tree), right];
  }
  const [left, right] = split(tree.left, item);
  tree.left = right;
  return [left, updated(tree)];
}

/** Joins two trees of which all of the first is before all of the second. */
function merge<V>(a: Item<V> | null, b: Item<V> | null): Item<V> | null {
  if (a === null || b === null) return a ?? b;
  if (a.priority > b.priority) {
    a.right = merge(a.right, b);
    return updated(a);
  }
  b.left = merge(a, b.left);
  return updated(b);
}

function without<V>(tree: Item<V> | null, item: Item<V>): Item<V> | null {
  if (tree === null) return null;
  if (tree === item) return merge(tree.left, tree.right);
  if (isBefore(item, tree)) tree.left = without(tree.left, item);
  else tree.right = without(tree.right, item);
  return updated(tree);
}

function updated<V>(item: Item<V>): Item<V> {
  item.reach = Math.max(item.high, item.left?.reach ?? -Infinity, item.right?.reach ?? -Infinity);
  return item;
}

/** Spreads counters over 32 bits, so that rising ones make no chain. */
function scramble(order: number): number {
  let bits = Math.imul(order ^ (order >>> 16), 0x45d9f3b);
  bits = Math.imul(bits ^ (bits >>> 16), 0x45d9f3b);
  return (bits ^ (bits >>> 16)) >>> 0;
}
