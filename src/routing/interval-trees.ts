import { endOf } from './sorted-keys.ts';

/** Told of the intervals that a point is in. */
export interface IntervalVisitor {
  /** The point is inside the interval, and is none of its ends. */
  inside(value: number): void;
  /** The point is an end of the interval. */
  atEnd(value: number): void;
}

/** The same, for many points at once. Points are given by their numbers. */
export interface PointsVisitor {
  inside(value: number): void;
  /** These points are ends of the interval, and no point is inside. */
  atEnds(value: number, from: number, to: number): void;
}

const INITIAL_NODES = 8;
/**
 * How many words a node has. They begin with four doubles, whose places are counted in doubles; then come its neighbours and its value,
 * whose places are counted in words.
 */
const NODE = 12;
const DOUBLES = NODE / 2;
const LOW = 0;
const HIGH = 1;
/** The greatest high below the node on the left, and on the right: by these a search knows whether to go there. */
const LEFT_REACH = 2;
const RIGHT_REACH = 3;
const LEFT = 8;
const RIGHT = 9;
const ORDER = 10;
const VALUE = 11;

/**
 * Closed intervals, to be found by a point in them. They are in treaps by `low`, whose nodes know how far the intervals below them reach.
 * Many trees share one typed array. A tree is the number of its root; 0 is an empty one.
 */
export class IntervalTrees {
  #words = new Int32Array(INITIAL_NODES * NODE);
  #doubles = new Float64Array(this.#words.buffer);
  #end = 1;
  #free = 0;
  #count = 0;
  size = 0;

  /** @returns the node; `insert` puts it in a tree */
  make(low: number, high: number, value: number): number {
    const node = this.#free === 0 ? this.#end : this.#free;
    if (this.#free !== 0) this.#free = this.#words[node * NODE + LEFT]!;
    else if (++this.#end * NODE > this.#words.length) this.#grow();
    this.#doubles[node * DOUBLES + LOW] = low;
    this.#doubles[node * DOUBLES + HIGH] = high;
    this.#doubles[node * DOUBLES + LEFT_REACH] = Number.NEGATIVE_INFINITY;
    this.#doubles[node * DOUBLES + RIGHT_REACH] = Number.NEGATIVE_INFINITY;
    this.#words[node * NODE + LEFT] = 0;
    this.#words[node * NODE + RIGHT] = 0;
    this.#words[node * NODE + ORDER] = this.#count++;
    this.#words[node * NODE + VALUE] = value;
    this.size++;
    return node;
  }

  /** @returns the root then */
  insert(root: number, node: number): number {
    const [before, after] = this.#split(root, node);
    return this.#merge(this.#merge(before, node), after);
  }

  /** Takes the node out of the tree, and frees it. @returns the root then */
  delete(root: number, node: number): number {
    const rest = this.#without(root, node);
    this.#words[node * NODE + LEFT] = this.#free;
    this.#free = node;
    this.size--;
    return rest;
  }

  visit(root: number, point: number, visitor: IntervalVisitor): void {
    for (let node = root; node !== 0; ) {
      const at = node * DOUBLES;
      if (this.#doubles[at + LEFT_REACH]! >= point) this.visit(this.#words[node * NODE + LEFT]!, point, visitor);
      const low = this.#doubles[at + LOW]!;
      if (low > point) return;
      const high = this.#doubles[at + HIGH]!;
      if (high > point && low < point) visitor.inside(this.#words[node * NODE + VALUE]!);
      else if (high >= point) visitor.atEnd(this.#words[node * NODE + VALUE]!);
      node = this.#doubles[at + RIGHT_REACH]! >= point ? this.#words[node * NODE + RIGHT]! : 0;
    }
  }

  /**
   * Visits the intervals that points are in, each once however many points are in it.
   * @param points rising
   * @returns how many nodes were looked at
   */
  visitAll(root: number, points: Float64Array, visitor: PointsVisitor, from = 0, to = points.length): number {
    let looked = 0;
    let [first, end] = [from, to];
    for (let node = root; node !== 0 && first < end; node = this.#words[node * NODE + RIGHT]!) {
      looked++;
      const at = node * DOUBLES;
      const [leftReach, rightReach] = [this.#doubles[at + LEFT_REACH]!, this.#doubles[at + RIGHT_REACH]!];
      if (leftReach >= points[first]!) {
        const reached = firstAbove(points, leftReach, first, end);
        looked += this.visitAll(this.#words[node * NODE + LEFT]!, points, visitor, first, reached);
      }
      first = firstFrom(points, this.#doubles[at + LOW]!, first, end);
      this.#visitNode(node, points, visitor, first, end);
      end = firstAbove(points, rightReach, first, end);
    }
    return looked;
  }

  /** @param from the first of the points that are not below the interval */
  #visitNode(node: number, points: Float64Array, visitor: PointsVisitor, from: number, to: number): void {
    const value = this.#words[node * NODE + VALUE]!;
    const high = this.#doubles[node * DOUBLES + HIGH]!;
    const within = firstAbove(points, this.#doubles[node * DOUBLES + LOW]!, from, to);
    if (within < to && points[within]! < high) visitor.inside(value);
    else {
      const end = firstAbove(points, high, within, to);
      if (from < end) visitor.atEnds(value, from, end);
    }
  }

  #isBefore(a: number, b: number): boolean {
    const [lowA, lowB] = [this.#doubles[a * DOUBLES + LOW]!, this.#doubles[b * DOUBLES + LOW]!];
    return lowA !== lowB ? lowA < lowB : this.#words[a * NODE + ORDER]! < this.#words[b * NODE + ORDER]!;
  }

  /** Splits a tree into what is before the node and what is not. */
  #split(tree: number, node: number): [number, number] {
    if (tree === 0) return [0, 0];
    if (this.#isBefore(tree, node)) {
      const [left, right] = this.#split(this.#words[tree * NODE + RIGHT]!, node);
      this.#words[tree * NODE + RIGHT] = left;
      return [this.#updated(tree), right];
    }
    const [left, right] = this.#split(this.#words[tree * NODE + LEFT]!, node);
    this.#words[tree * NODE + LEFT] = right;
    return [left, this.#updated(tree)];
  }

  /** Joins two trees of which all of the first is before all of the second. */
  #merge(a: number, b: number): number {
    if (a === 0 || b === 0) return a || b;
    if (scramble(this.#words[a * NODE + ORDER]!) > scramble(this.#words[b * NODE + ORDER]!)) {
      this.#words[a * NODE + RIGHT] = this.#merge(this.#words[a * NODE + RIGHT]!, b);
      return this.#updated(a);
    }
    this.#words[b * NODE + LEFT] = this.#merge(a, this.#words[b * NODE + LEFT]!);
    return this.#updated(b);
  }

  #without(tree: number, node: number): number {
    if (tree === node) return this.#merge(this.#words[tree * NODE + LEFT]!, this.#words[tree * NODE + RIGHT]!);
    const side = tree * NODE + (this.#isBefore(node, tree) ? LEFT : RIGHT);
    this.#words[side] = this.#without(this.#words[side]!, node);
    return this.#updated(tree);
  }

  #updated(node: number): number {
    this.#doubles[node * DOUBLES + LEFT_REACH] = this.#reachOf(this.#words[node * NODE + LEFT]!);
    this.#doubles[node * DOUBLES + RIGHT_REACH] = this.#reachOf(this.#words[node * NODE + RIGHT]!);
    return node;
  }

  /** The greatest high of a node and all below it. */
  #reachOf(node: number): number {
    if (node === 0) return Number.NEGATIVE_INFINITY;
    const at = node * DOUBLES;
    const below = Math.max(this.#doubles[at + LEFT_REACH]!, this.#doubles[at + RIGHT_REACH]!);
    return Math.max(this.#doubles[at + HIGH]!, below);
  }

  #grow(): void {
    const words = new Int32Array(Math.ceil((this.#words.length * 1.5) / NODE) * NODE);
    words.set(this.#words);
    this.#words = words;
    this.#doubles = new Float64Array(words.buffer);
  }
}

/** Where the first of the rising points is that is not below `least`; `to` when there is none. */
function firstFrom(points: Float64Array, least: number, from: number, to: number): number {
  return endOf(points, (point) => point < least, from, to);
}

/** The same for the first that is above `most`. */
function firstAbove(points: Float64Array, most: number, from: number, to: number): number {
  return endOf(points, (point) => point <= most, from, to);
}

/** Spreads counters over 32 bits, so that rising ones make no chain. */
function scramble(order: number): number {
  let bits = Math.imul(order ^ (order >>> 16), 0x45d9f3b);
  bits = Math.imul(bits ^ (bits >>> 16), 0x45d9f3b);
  return (bits ^ (bits >>> 16)) >>> 0;
}
