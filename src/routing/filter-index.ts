import { isConsistent } from './array-consistency.ts';
import type { Clause, FieldTest } from './condition.ts';
import { Edge, FieldIndex } from './field-index.ts';
import { type IndexedTest, keyOf, rankOf } from './indexed-test.ts';
import { internTest, releaseTest } from './intern-test.ts';
import { PathNode } from './path-node.ts';
import { readFields, releaseFields } from './read-fields.ts';
import type { Leaf } from './satisfies.ts';

/** Who wants the events that a clause matches. */
export class Owner {
  readonly num: number;
  /** The event that it was last found for. */
  seq = 0;

  constructor(num: number) {
    this.num = num;
  }
}

/** A clause in the index: hand it back to take it out. */
export interface IndexedClause {
  readonly owner: Owner;
  /** In the order in which they are asked. */
  readonly tests: readonly IndexedTest[];
}

/** Clauses that agree in their first tests. They are a list until there are too many for one, and then parted by their next test. */
interface Place {
  seq: number;
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

  add(owner: Owner, clause: Clause): IndexedClause {
    const tests = [...clause].sort(compareTests).map((field) => internTest(this.#paths, field));
    const indexed: IndexedClause = { owner, tests };
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
   * The owners of the clauses that an event matches, each once, in no order.
   * @param event what `JSON.parse` or `parseExactly` made of it
   */
  match(event: unknown): Owner[] {
    const seq = ++this.#seq;
    const touched = readFields(event, this.#paths, seq);
    const search: Search = { seq, touched, found: [], hasArrays: touched.some((path) => path.inArrays > 0) };
    try {
      visitPlace(this.#root, 0, search);
      return search.found;
    } finally {
      releaseFields(touched);
    }
  }
}

/** In an order that depends on the tests alone, so that clauses of the same fields share their way. */
function compareTests(a: FieldTest, b: FieldTest): number {
  const byRank = rankOf(a.anyOf) - rankOf(b.anyOf);
  if (byRank !== 0) return byRank;
  if (a.path !== b.path) return a.path < b.path ? -1 : 1;
  return keyOf(a.anyOf) < keyOf(b.anyOf) ? -1 : 1;
}

function newPlace(): Place {
  return { seq: 0, few: [], parted: null, absent: null, complete: null };
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
  readonly found: Owner[];
  readonly hasArrays: boolean;
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
  field.visitAbsent((edge) => {
    if (edge.test.holds(search.seq)) visitTarget(edge.target, depth + 1, search);
  });
}

function visitValues(path: PathNode, field: FieldIndex<Target>, depth: number, search: Search): void {
  const { seq } = search;
  let value: Leaf = null;
  const hit = ({ test, target }: Edge<Target>) => {
    test.seq = seq;
    test.result = true;
    visitTarget(target, depth + 1, search);
  };
  const maybe = (edge: Edge<Target>) => {
    const { test } = edge;
    if (test.seq === seq ? test.result : test.satisfiedBy(value)) hit(edge);
  };
  for (value of path.values) field.visit(value, { hit, maybe });
}

function visitTarget(target: Target, depth: number, search: Search): void {
  if (!isPlace(target)) visitClause(target, depth, search);
  // Values of one field lead to the same place more than once.
  else if (target.seq !== search.seq) {
    target.seq = search.seq;
    visitPlace(target, depth, search);
  }
}

function visitClause({ owner, tests }: IndexedClause, depth: number, search: Search): void {
  if (owner.seq === search.seq) return;
  for (let i = depth; i < tests.length; i++) if (!tests[i]!.holds(search.seq)) return;
  if (search.hasArrays && !isConsistent(tests, search.seq)) return;
  owner.seq = search.seq;
  search.found.push(owner);
}
