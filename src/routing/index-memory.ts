import { Conditions } from './conditions.ts';
import { IntervalTrees } from './interval-trees.ts';
import { PairMap } from './pair-map.ts';
import { WordArena } from './word-arena.ts';

/** All that an index knows, in a few typed arrays. Clauses, places, conditions and groups of links are offsets in the arena. */
export interface IndexMemory {
  readonly arena: WordArena;
  readonly conditions: Conditions;
  readonly intervals: IntervalTrees;
  /**
   * The edges, by place and test: where each leads (a clause, or a place as a negative number), and its links. And by a place plus one of
   * `AT`, and a path or a condition: where the links of that path or condition begin.
   */
  readonly pairs: PairMap;
}

export function newIndexMemory(): IndexMemory {
  const arena = new WordArena();
  const conditions = new Conditions(arena);
  const pairs = new PairMap(crypto.getRandomValues(new Int32Array(1))[0]!);
  return { arena, conditions, intervals: new IntervalTrees(), pairs };
}

/** Added to a place, which is a multiple of 4, for the key of its links. */
export const AT = {
  /** The tree of the ranges of a path. */
  ranges: 1,
  /** The first link of the tests that have the condition among several. */
  alternatives: 2,
  /** The first link of the tests of a path that nearly every value satisfies. */
  broad: 3,
} as const;

/** Words of a place in the tree. */
export const PLACE = {
  /** The first of the clauses that are listed at it. */
  first: 0,
  count: 1,
  isParted: 2,
  /** Bits of the paths that it asks about. */
  bits: 3,
  edges: 4,
  /** The first link of the tests that allow absence. */
  absent: 5,
  alternatives: 6,
  ranges: 7,
  broad: 8,
  words: 9,
} as const;

/** Words of a clause; after them its tests, in the order in which they are asked. */
export const CLAUSE = {
  /** The number of the endpoint that wants the events which it matches. */
  owner: 0,
  /** Bits of its paths. */
  bits: 1,
  /** Neighbours in the list of its place. */
  next: 2,
  previous: 3,
  count: 4,
  tests: 5,
} as const;
