import type { Condition } from './condition.ts';
import { ExactNumber } from './exact-number.ts';
import type { IndexedTest } from './indexed-test.ts';
import { IntervalTree } from './interval-tree.ts';
import { MultiMap } from './multi-map.ts';
import type { Leaf } from './satisfies.ts';
import { type Finder, TextIndex } from './text-index.ts';

/** Where a test leads to. */
export class Edge<T> {
  readonly test: IndexedTest;
  target: T;
  /** The event that went this way last: several values of it may lead here. */
  seq = 0;

  constructor(test: IndexedTest, target: T) {
    this.test = test;
    this.target = target;
  }
}

/** The tests of one path that are asked at one place of the index: a value of the event finds those that it satisfies. */
export class FieldIndex<T> {
  readonly #texts = new TextIndex<Edge<T>>();
  readonly #numbers = new MultiMap<number, Edge<T>>();
  readonly #ranges = new IntervalTree<Edge<T>>();
  readonly #literals = new MultiMap<boolean | null, Edge<T>>();
  /** `exists` and `anything-but`: nearly every value satisfies them, so each is asked, but not for each value. */
  readonly #broad = new Set<Edge<T>>();
  readonly #absent = new Set<Edge<T>>();
  /** Edges by test, but for tests of one string: their string finds them. */
  readonly #byTest = new Map<IndexedTest, Edge<T>>();
  size = 0;

  get hasAbsent(): boolean {
    return this.#absent.size > 0;
  }

  find(test: IndexedTest): Edge<T> | undefined {
    const only = onlyString(test);
    return only === null ? this.#byTest.get(test) : this.#texts.strings.find(only, (edge) => edge.test === test);
  }

  add(edge: Edge<T>): void {
    this.size++;
    if (onlyString(edge.test) === null) this.#byTest.set(edge.test, edge);
    for (const condition of edge.test.anyOf) this.#keep(condition, edge, true);
  }

  delete(edge: Edge<T>): void {
    this.size--;
    this.#byTest.delete(edge.test);
    for (const condition of edge.test.anyOf) this.#keep(condition, edge, false);
  }

  /** Calls for the edges that a value satisfies, and for some that it does not; for some more than once. */
  visit(value: Leaf, finder: Finder<Edge<T>>): void {
    if (typeof value === 'string') this.#texts.visit(value, finder);
    else if (typeof value === 'number' || value instanceof ExactNumber) {
      const double = typeof value === 'number' ? value : value.double;
      // What a double does not hold equals no number of a filter, and is on the same side of it as its double, unless that is the same.
      if (typeof value === 'number') this.#numbers.visit(double, finder.hit);
      if (this.#ranges.size > 0) this.#ranges.visit(double, finder.hit, finder.maybe);
    } else this.#literals.visit(value, finder.hit);
  }

  visitBroad(visit: (edge: Edge<T>) => void): void {
    for (const edge of this.#broad) visit(edge);
  }

  visitAbsent(visit: (edge: Edge<T>) => void): void {
    for (const edge of this.#absent) visit(edge);
  }

  #keep(condition: Condition, edge: Edge<T>, isKept: boolean): void {
    const change = isKept ? 'add' : 'delete';
    switch (condition.kind) {
      case 'number':
        this.#numbers[change](condition.value, edge);
        break;
      case 'range':
        this.#ranges[change](condition, edge);
        break;
      case 'literal':
        this.#literals[change](condition.value, edge);
        break;
      case 'exists':
      case 'except':
        this.#broad[change](edge);
        break;
      case 'absent':
        this.#absent[change](edge);
        break;
      default:
        this.#texts[change](condition, edge);
    }
  }
}

function onlyString({ anyOf }: IndexedTest): string | null {
  const only = anyOf[0]!;
  return anyOf.length === 1 && only.kind === 'string' ? only.text : null;
}
