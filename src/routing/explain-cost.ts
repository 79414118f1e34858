import type { Condition } from './condition.ts';
import type { IndexedTest } from './indexed-test.ts';
import type { PathNode } from './path-node.ts';

/** How many steps it may take to try a filter on an event: some 40 ns each, and nothing else is done in the process meanwhile. */
export const MAX_STEPS = 1_000_000;

/** To try the filter on the event would take too long. */
export class TooManySteps extends Error {
  constructor() {
    super(
      'has so many values where the filter has so many alternatives that it cannot be tried here: leave out some of either',
    );
    this.name = 'TooManySteps';
  }
}

/** What is tried on each value, in steps (measured): to read an address, to look a prefix of it up, to try a wildcard. */
const ADDRESS = 8;
const PREFIX = 4;
const WILDCARD = 3;
/** To fold the case of a character, of which hardly any need it. */
const FOLDED = 2;

/** What there is at a path. */
interface Extent {
  readonly values: number;
  readonly characters: number;
}

/**
 * In steps, how long it takes to try tests on the values at their paths. What events are routed by has an index, which goes through the values once for all filters; to tell what
 * failed, each test goes through them.
 */
export function explainCost(tests: readonly IndexedTest[]): number {
  const extents = new Map<PathNode, Extent>();
  let cost = 0;
  for (const { path, anyOf } of tests) {
    const extent = extents.get(path) ?? extentOf(path);
    extents.set(path, extent);
    const { perValue, perCharacter } = weightOf(anyOf);
    cost += perValue * extent.values + perCharacter * extent.characters;
  }
  return cost;
}

function extentOf({ values }: PathNode): Extent {
  let characters = 0;
  for (const value of values) if (typeof value === 'string') characters += value.length;
  return { values: values.length, characters };
}

interface Weight {
  readonly perValue: number;
  readonly perCharacter: number;
}

/** Of conditions, of which one would do: what a value can be looked up by costs no more for many. */
function weightOf(anyOf: readonly Condition[]): Weight {
  const lengths = new Set<string>();
  let perValue = 1;
  let folds = false;
  for (const condition of anyOf) {
    switch (condition.kind) {
      case 'cidr':
        lengths.add(`cidr ${condition.network.groups.length} ${condition.network.bits}`);
        break;
      case 'prefix':
      case 'suffix':
        lengths.add(`${condition.kind} ${condition.fold} ${condition.text.length}`);
        folds ||= condition.fold;
        break;
      case 'equals':
        folds = true;
        break;
      case 'wildcard':
      case 'glob':
        perValue += WILDCARD;
        break;
      case 'except': {
        const excluded = weightOf(condition.of);
        perValue += excluded.perValue;
        folds ||= excluded.perCharacter > 0;
        break;
      }
    }
  }
  if (anyOf.some(({ kind }) => kind === 'cidr')) perValue += ADDRESS;
  return { perValue: perValue + PREFIX * lengths.size, perCharacter: folds ? FOLDED : 0 };
}
