import { isConsistent } from './array-consistency.ts';
import type { Clause, FieldTest } from './condition.ts';
import { Edge, FieldIndex } from './field-index.ts';
import { type IndexedTest, keyOf, rankOf } from './indexed-test.ts';
import { internTest, releaseTest } from './intern-test.ts';
import { PathNode } from './path-node.ts';
import { readFields, releaseFields } from './read-fields.ts';
import type { Leaf } from './satisfies.ts';

/** A clause in the index: hand it back to take it out. */
export interface IndexedClause {
  /** Who wants the events that it matches. */
  readonly owner: number;
  /** In the order in which they are asked. */
  readonly tests: readonly IndexedTest[];
  /** Length of `tests`: where all led here already, the list itself is not looked at. */
  readonly count: number;
  /** The bits of its paths. */
  readonly pathBits: number;
}

/** Clauses that agree in their first tests. They are a list until there are too many for one, and then parted by their next test. */
interface Place {
  few: IndexedClause[] | null;
  parted: Map<PathNode, FieldIndex<Target>> | null;
  /** Those of the fields that must not be there, or may be missing: an event that has nothing of them finds them. */
  absent: Set<FieldIndex<Target>> | null;
  /** Those that ask for nothing more. */
  complete: Set<IndexedClause> | null;
}

type Target = Place | IndexedClause;

const FEW = 8;

/**
 * Many clauses in one structure: a tree in which clauses that begin with the same tests share their way, the tests that few events
 * satisfy first. An event goes down only where it satisfies, finding each next test by its own values, so that the work is that of the
 * event and of what it nearly matches. Clauses come and go one by one.
 */
export class FilterIndex {
  readonly #paths = new PathNode(null, '');
  readonly #root: Place = newPlace();
  #seq = 0;
  size = 0;

  add(owner: number, clause: Clause): IndexedClause {
    const tests = [...clause].sort(compareTests).map((field) => internTest(this.#paths, field));
    const pathBits = tests.reduce((bits, { path }) => bits | path.bit, 0);
    const indexed: IndexedClause = { owner, tests, count: tests.length, pathBits };
    insert(this.#root, indexed, 0);
    this.size++;
    return indexed;
  }

  remove(clause: IndexedClause): void {
    remove(this.#root, clause, 0);
    for (const test of clause.tests) releaseTest(test);
    this.size--;
  }

  /**
   * The owners of the clauses that an event matches, each once, in rising order.
   * @param event what `JSON.parse` or `parseExactly` made of it
   */
  match(event: unknown): number[] {
    const seq = ++this.#seq;
    const touched = readFields(event, this.#paths, seq);
    const arrayBits = touched.reduce((bits, path) => (path.inArrays > 0 ? bits | path.bit : bits), 0);
    const search: Search = { seq, touched, found: [], arrayBits };
    try {
      visitPlace(this.#root, 0, search);
      return risingOnce(search.found);
    } finally {
      releaseFields(touched);
    }
  }
}

/** In an order that depends on the tests alone, so that clauses of the same fields share their way. */
function compareTests(a: FieldTest, b: FieldTest): number {
  const byRank = rankIn(a) - rankIn(b);
  if (byRank !== 0) return byRank;
  if (a.path !== b.path) return a.path < b.path ? -1 : 1;
  return keyOf(a.anyOf) < keyOf(b.anyOf) ? -1 : 1;
}

/** One type goes before all: there are few, and what comes after them is then the last thing to be looked at. */
function rankIn({ path, anyOf }: FieldTest): number {
  return path === 'type' && anyOf.length === 1 && anyOf[0]!.kind === 'string' ? 0 : rankOf(anyOf);
}

function newPlace(): Place {
  return { few: [], parted: null, absent: null, complete: null };
}

function isPlace(target: Target): target is Place {
  return 'parted' in target;
}

/** @param depth how many of the clause's tests lead to the place */
function insert(place: Place, clause: IndexedClause, depth: number): void {
  if (place.few !== null) {
    place.few.push(clause);
    if (place.few.length > FEW) part(place, depth);
    return;
  }
  const test = clause.tests[depth];
  if (test === undefined) {
    place.complete ??= new Set();
    place.complete.add(clause);
    return;
  }
  const fields = place.parted!;
  let field = fields.get(test.path);
  if (field === undefined) {
    field = new FieldIndex();
    fields.set(test.path, field);
  }
  const edge = field.find(test);
  if (edge === undefined) {
    field.add(new Edge<Target>(test, clause));
    if (field.hasAbsent) {
      place.absent ??= new Set();
      place.absent.add(field);
    }
    return;
  }
  if (!isPlace(edge.target)) edge.target = { ...newPlace(), few: [edge.target] };
  insert(edge.target, clause, depth + 1);
}

function part(place: Place, depth: number): void {
  const clauses = place.few!;
  place.few = null;
  place.parted = new Map();
  for (const clause of clauses) insert(place, clause, depth);
}

/** @returns whether nothing is left at the place */
function remove(place: Place, clause: IndexedClause, depth: number): boolean {
  if (place.few !== null) {
    place.few.splice(place.few.indexOf(clause), 1);
    return place.few.length === 0;
  }
  const test = clause.tests[depth];
  if (test === undefined) place.complete?.delete(clause);
  else removeBelow(place, test, clause, depth);
  if ((place.complete?.size ?? 0) > 0 || place.parted!.size > 0) return false;
  place.few = [];
  place.parted = null;
  place.absent = null;
  place.complete = null;
  return true;
}

function removeBelow(place: Place, test: IndexedTest, clause: IndexedClause, depth: number): void {
  const field = place.parted!.get(test.path)!;
  const edge = field.find(test)!;
  if (isPlace(edge.target) && !remove(edge.target, clause, depth + 1)) return;
  field.delete(edge);
  if (!field.hasAbsent) place.absent?.delete(field);
  if (field.size === 0) place.parted!.delete(test.path);
}

interface Search {
  readonly seq: number;
  readonly touched: readonly PathNode[];
  readonly found: number[];
  /** The bits of the paths that have values in elements of arrays. */
  readonly arrayBits: number;
}

function visitPlace(place: Place, depth: number, search: Search): void {
  if (place.few !== null) {
    for (const clause of place.few) visitClause(clause, depth, search);
    return;
  }
  if (place.complete !== null) for (const clause of place.complete) visitClause(clause, depth, search);
  const fields = place.parted!;
  // Whichever are fewer: the paths that are asked about here, or those that the event has.
  if (fields.size <= search.touched.length) {
    for (const [path, field] of fields) if (path.seq === search.seq) visitValues(path, field, depth, search);
  } else {
    for (const path of search.touched) {
      const field = fields.get(path);
      if (field !== undefined) visitValues(path, field, depth, search);
    }
  }
  if (place.absent !== null) for (const field of place.absent) visitAbsent(field, depth, search);
}

function visitAbsent(field: FieldIndex<Target>, depth: number, search: Search): void {
  field.visitAbsent((edge) => followIfHolds(edge, depth, search));
}

function visitValues(path: PathNode, field: FieldIndex<Target>, depth: number, search: Search): void {
  let value: Leaf = null;
  // The tests of hits are not looked at: of a million, each that is touched comes from far away.
  const hit = (edge: Edge<Target>) => follow(edge, depth, search);
  const maybe = (edge: Edge<Target>) => {
    if (edge.seq !== search.seq && edge.test.satisfiedBy(value)) follow(edge, depth, search);
  };
  for (value of path.values) field.visit(value, { hit, maybe });
  field.visitBroad((edge) => followIfHolds(edge, depth, search));
}

function followIfHolds(edge: Edge<Target>, depth: number, search: Search): void {
  if (edge.seq !== search.seq && edge.test.holds(search.seq)) follow(edge, depth, search);
}

function follow(edge: Edge<Target>, depth: number, search: Search): void {
  if (edge.seq === search.seq) return;
  edge.seq = search.seq;
  if (isPlace(edge.target)) visitPlace(edge.target, depth + 1, search);
  else visitClause(edge.target, depth + 1, search);
}

function visitClause(clause: IndexedClause, depth: number, search: Search): void {
  for (let i = depth; i < clause.count; i++) if (!clause.tests[i]!.holds(search.seq)) return;
  if ((clause.pathBits & search.arrayBits) !== 0 && !isConsistent(clause.tests, search.seq)) return;
  search.found.push(clause.owner);
}

function risingOnce(numbers: number[]): number[] {
  numbers.sort((a, b) => a - b);
  let kept = 0;
  for (let i = 0; i < numbers.length; i++) {
    if (i > 0 && numbers[i] === numbers[i - 1]) continue;
    numbers[kept++] = numbers[i]!;
  }
  numbers.length = kept;
  return numbers;
}
