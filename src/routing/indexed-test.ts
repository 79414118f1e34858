import type { Condition } from './condition.ts';
import type { PathNode } from './path-node.ts';
import { type Leaf, satisfies } from './satisfies.ts';

/** A test of one field, and what is known of it for the event at hand. */
export class IndexedTest {
  readonly path: PathNode;
  readonly anyOf: readonly Condition[];
  seq = 0;
  result = false;

  constructor(path: PathNode, anyOf: readonly Condition[]) {
    this.path = path;
    this.anyOf = anyOf;
  }

  /** Whether the event's values satisfy it, each field for itself: which element of an array they are in is another question. */
  holds(seq: number): boolean {
    if (this.seq !== seq) {
      this.seq = seq;
      this.result = this.#evaluate(seq);
    }
    return this.result;
  }

  get allowsAbsence(): boolean {
    return this.anyOf.some((condition) => condition.kind === 'absent');
  }

  satisfiedBy(value: Leaf): boolean {
    const { anyOf } = this;
    for (let i = 0; i < anyOf.length; i++) if (satisfies(value, anyOf[i]!)) return true;
    return false;
  }

  #evaluate(seq: number): boolean {
    const { path } = this;
    const isPresent = path.seq === seq;
    // Values in elements of arrays may all be in elements that are not looked at.
    if (this.allowsAbsence && (!isPresent || path.inArrays === path.values.length)) return true;
    return isPresent && path.values.some((value) => this.satisfiedBy(value));
  }
}

const KIND_RANKS: Readonly<Record<Condition['kind'], number>> = {
  string: 0,
  number: 0,
  equals: 0,
  cidr: 2,
  prefix: 2,
  suffix: 2,
  wildcard: 2,
  glob: 2,
  range: 3,
  literal: 3,
  exists: 4,
  absent: 4,
  except: 4,
};

const MANY = 1_000;

/** Low for conditions that few events satisfy; among those, low for few alternatives. */
export function rankOf(anyOf: readonly Condition[]): number {
  const worst = Math.max(...anyOf.map((condition) => (isAnyType(condition) ? 4 : KIND_RANKS[condition.kind])));
  return worst * MANY + Math.min(anyOf.length, MANY - 1);
}

function isAnyType(condition: Condition): boolean {
  return condition.kind === 'glob' && condition.text === '**';
}
