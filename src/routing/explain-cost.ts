import type { Condition } from './condition.ts';
import { folds, type IndexedTest } from './indexed-test.ts';
import type { PathNode } from './path-node.ts';
import { LONG } from './text-notes.ts';

/** How many steps it may take to try a filter on an event. A step takes some 40 ns, and the process does nothing else meanwhile. */
export const MAX_STEPS = 1_000_000;

/** Thrown when it would take too long to try the filter on the event. */
export class TooManySteps extends Error {
  constructor() {
    super(
      'has so many values where the filter has so many alternatives that it cannot be tried here: leave out some of either',
    );
    this.name = 'TooManySteps';
  }
}

/** Steps for each value (measured): to read an address, to look a prefix of it up, to try a wildcard, to split a type. */
const ADDRESS = 8;
const PREFIX = 4;
const WILDCARD = 3;
const GLOB = 7;
/** Steps for each character: to go on with a wildcard, to fold its case, to go on with a segment of a type pattern. */
const WALKED = 0.2;
const FOLDED = 1;
const SEGMENT = 0.05;

/** What there is at a path. */
interface Extent {
  readonly values: number;
  readonly characters: number;
  /** Characters of the texts of which `textNotes` keeps notes. */
  readonly noted: number;
  /** The wildcards that are asked of these texts: each reads them once for all tests. */
  readonly wildcards: Set<string>;
  isFolded: boolean;
}

/**
 * How long it takes to try tests on the values at their paths, in steps. Routing has an index, which goes through the values once for all
 * filters. To tell what failed, each test goes through them by itself, and once more through values in arrays, to find out in which element
 * they are. Only long texts are read once for all tests that ask the same of them.
 */
export function explainCost(tests: readonly IndexedTest[]): number {
  const extents = new Map<PathNode, Extent>();
  let cost = 0;
  for (const { path, anyOf } of tests) {
    const extent = extents.get(path) ?? extentOf(path);
    extents.set(path, extent);
    const { perValue, wildcards, folding, segments } = weightOf(anyOf);
    const perShort = wildcards.length * WALKED + folding * FOLDED;
    const short = extent.characters - extent.noted;
    const once = perValue * extent.values + perShort * short + segments * SEGMENT * extent.characters;
    cost += path.inArrays > 0 ? 2 * once : once;
    for (const wildcard of wildcards) extent.wildcards.add(wildcard);
    extent.isFolded ||= folding > 0;
  }
  for (const { noted, wildcards, isFolded } of extents.values()) {
    cost += noted * (wildcards.size * WALKED + (isFolded ? FOLDED : 0));
  }
  return cost;
}

function extentOf({ values }: PathNode): Extent {
  let characters = 0;
  let noted = 0;
  for (const value of values) {
    if (typeof value !== 'string') continue;
    characters += value.length;
    if (value.length >= LONG) noted += value.length;
  }
  return { values: values.length, characters, noted, wildcards: new Set(), isFolded: false };
}

interface Weight {
  readonly perValue: number;
  readonly wildcards: readonly string[];
  /** How often a text is folded. */
  readonly folding: number;
  /** Segments of all type patterns. */
  readonly segments: number;
}

/** The weight of conditions of which one must hold. Those by which a value is looked up cost no more when they are many. */
function weightOf(anyOf: readonly Condition[]): Weight {
  const lengths = new Set<string>();
  const wildcards: string[] = [];
  let [perValue, folding, segments] = [1, anyOf.some(folds) ? 1 : 0, 0];
  for (const condition of anyOf) {
    switch (condition.kind) {
      case 'cidr':
        lengths.add(`cidr ${condition.network.groups.length} ${condition.network.bits}`);
        break;
      case 'prefix':
      case 'suffix':
        lengths.add(`${condition.kind} ${condition.fold} ${condition.text.length}`);
        break;
      case 'wildcard':
        perValue += WILDCARD;
        wildcards.push(condition.text);
        break;
      case 'glob':
        perValue += GLOB;
        segments += condition.text.split('.').length;
        break;
      case 'except': {
        const excluded = weightOf(condition.of);
        perValue += excluded.perValue;
        folding += excluded.folding;
        wildcards.push(...excluded.wildcards);
        break;
      }
    }
  }
  if (anyOf.some(({ kind }) => kind === 'cidr')) perValue += ADDRESS;
  return { perValue: perValue + PREFIX * lengths.size + folding, wildcards, folding, segments };
}
