import type { Condition } from './condition.ts';
import { ConditionList } from './condition-list.ts';
import { matchSteps } from './match-steps.ts';
import type { PathNode } from './path-node.ts';
import { type Leaf, satisfies } from './satisfies.ts';

/** A test of one field, and what is known of it for the event at hand. */
export class IndexedTest {
  readonly path: PathNode;
  readonly anyOf: readonly Condition[];
  seq = 0;
  result = false;
  /** The number of its hits for the event at hand, and the `seq` of that event: see `array-consistency.ts`. */
  hits = 0;
  hitsSeq = 0;
  readonly allowsAbsence: boolean;
  /** The values that satisfy it; null when it does not list them. */
  readonly exactValues: readonly Leaf[] | null;
  readonly #list: ConditionList | null;
  /**
   * Whether its wildcards are listed at the path (`ListedWildcards`). One that is the only condition is not: texts find it by a literal.
   */
  readonly #isListed: boolean;
  /**
   * How many steps of `matchSteps` it takes to ask it of one value, without what wildcards read. Whoever asks it of many values counts
   * them.
   */
  readonly steps: number;

  constructor(path: PathNode, anyOf: readonly Condition[]) {
    this.path = path;
    this.anyOf = anyOf;
    this.allowsAbsence = anyOf.some((condition) => condition.kind === 'absent');
    this.exactValues = exactValuesOf(anyOf);
    const [weight, readings] = [weightOf(anyOf), readingsOf(anyOf)];
    this.#list = weight > FEW || readings > 1 ? new ConditionList(anyOf) : null;
    this.steps = this.#list?.steps ?? weight + readings * READING_STEPS;
    this.#isListed = anyOf.length > 1 || anyOf[0]?.kind === 'except';
  }

  /** Whether the event's values satisfy it, each field for itself: which element of an array they are in is another question. */
  holds(seq: number): boolean {
    if (this.seq !== seq) {
      this.seq = seq;
      this.result = this.#evaluate(seq);
    }
    return this.result;
  }

  satisfiedBy(value: Leaf): boolean {
    const { anyOf } = this;
    const beside = this.#isListed ? this.path.wildcards : null;
    if (this.#list !== null) return this.#list.satisfiedBy(value, beside);
    for (let i = 0; i < anyOf.length; i++) if (satisfies(value, anyOf[i]!, beside)) return true;
    return false;
  }

  #evaluate(seq: number): boolean {
    const { path } = this;
    const isPresent = path.seq === seq;
    // If all values are in elements of arrays, they may all be in elements that are not chosen.
    if (this.allowsAbsence && (!isPresent || path.inArrays === path.values.length)) return true;
    return isPresent && this.#isSatisfiedAt(path);
  }

  #isSatisfiedAt(path: PathNode): boolean {
    const { values } = path;
    if (values.length <= FEW_VALUES) {
      matchSteps.take(values.length * this.steps);
      return values.some((value) => this.satisfiedBy(value));
    }
    for (let i = 0; i < FEW_VALUES; i++) if (this.#isSatisfiedByNext(values[i]!)) return true;
    const found = path.distinct.satisfying(this.anyOf, this.steps);
    if (found !== null) return found.some((word) => word !== 0);
    return path.distinct.values.some((value) => this.#isSatisfiedByNext(value));
  }

  #isSatisfiedByNext(value: Leaf): boolean {
    matchSteps.take(this.steps);
    return this.satisfiedBy(value);
  }
}

function exactValuesOf(anyOf: readonly Condition[]): readonly Leaf[] | null {
  const values: Leaf[] = [];
  for (const condition of anyOf) {
    if (condition.kind === 'string') values.push(condition.text);
    // A number of an event that no double holds equals no number of a filter.
    else if (condition.kind === 'number' || condition.kind === 'literal') values.push(condition.value);
    else if (condition.kind !== 'absent') return null;
  }
  return values;
}

/** So many values are asked as they come. If none of them satisfies the test, equal values among all are asked once. */
const FEW_VALUES = 256;
/** How many steps it takes to fold a short text or to read an address. */
const READING_STEPS = 16;
/** Up to so many conditions are tried one after the other; more are made a `ConditionList`. */
const FEW = 8;

/** How many conditions there are, those that are excluded counted one by one. */
export function weightOf(anyOf: readonly Condition[]): number {
  return anyOf.reduce((sum, condition) => sum + (condition.kind === 'except' ? condition.of.length : 1), 0);
}

/** Whether the condition leaves case out of account. */
export function folds(condition: Condition): boolean {
  if (condition.kind === 'prefix' || condition.kind === 'suffix') return condition.fold;
  return condition.kind === 'equals';
}

/** How many conditions fold a text, or read an address: a list does either once for all of them. */
function readingsOf(anyOf: readonly Condition[]): number {
  let sum = 0;
  for (const condition of anyOf) {
    if (condition.kind === 'except') sum += readingsOf(condition.of);
    else if (condition.kind === 'cidr' || folds(condition)) sum++;
  }
  return sum;
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
