import type { Condition, FieldTest } from './condition.ts';
import { type PlainCondition, readWritten, writeCondition } from './condition-codec.ts';
import { IndexedTest } from './indexed-test.ts';
import { KeptTests } from './kept-tests.ts';
import { ListedWildcards, type WildcardCondition } from './listed-wildcards.ts';
import { matchSteps } from './match-steps.ts';
import { PathNode } from './path-node.ts';
import { PathProbes } from './path-probes.ts';
import { isCertain, isGuessed, isPlain, KIND } from './record-kind.ts';
import { HEAD, kindIn, pathIn, RecordTable, tagOf } from './record-table.ts';
import { SeededHash } from './seeded-hash.ts';
import { tellingLiteral } from './telling-literal.ts';
import { doubleOf, UnitBuffer } from './unit-buffer.ts';
import type { WordArena } from './word-arena.ts';
import { matchesWritten } from './written-wildcard.ts';

/**
 * How many steps of `matchSteps` it takes to make an object of a condition from its record, and how many units of the record are read in
 * one step (8, given as a power of 2).
 */
const MAKING_STEPS = 30;
const UNITS_A_STEP = 3;

/**
 * What filters ask of fields: each condition, and each list of conditions, is kept once, as a record that values of events find. A test of
 * one condition is the record of the condition; a test of several is the record of their list.
 */
export class Conditions {
  readonly root = new PathNode(null, '');
  readonly table: RecordTable;
  readonly hash: SeededHash;
  readonly #arena: WordArena;
  readonly #paths: (PathNode | null)[] = [null];
  readonly #freePaths: number[] = [];
  readonly #buffer = new UnitBuffer();
  readonly #objects = new KeptTests();

  constructor(arena: WordArena) {
    const [k0, k1] = crypto.getRandomValues(new Int32Array(2));
    this.#arena = arena;
    this.hash = new SeededHash(k0!, k1!);
    this.table = new RecordTable(arena, this.hash);
  }

  /** How many paths are asked about. */
  get paths(): number {
    return this.#paths.length - 1 - this.#freePaths.length;
  }

  /** The record of the test, made when it is new. Each call needs a `release` of its own. */
  acquire({ path, anyOf }: FieldTest): number {
    const node = this.root.below(path);
    return anyOf.length === 1 ? this.#acquireOne(node, anyOf[0]!) : this.#acquireList(node, KIND.several, anyOf);
  }

  release(record: number): void {
    const { words } = this.#arena;
    if (--words[record + HEAD.refs]! > 0) return;
    const inner = this.listOf(record);
    const path = this.pathOf(record);
    const kind = this.kindOf(record);
    if (kind === KIND.cidr) path.probes!.networks.delete(this.#unitsOf(record));
    else if (isCertain(kind)) path.probes!.delete(kind, words[record + HEAD.length]!, this.#firstOf(record));
    this.#objects.release(record);
    path.wildcards?.delete(record);
    this.table.remove(record);
    this.#leave(path);
    for (const each of inner) this.release(each);
  }

  kindOf(record: number): number {
    return kindIn(this.#arena.words[record]!);
  }

  pathOf(record: number): PathNode {
    return this.#paths[pathIn(this.#arena.words[record]!)]!;
  }

  /** Records of the conditions in a list; none for a plain condition. */
  listOf(record: number): number[] {
    const kind = this.kindOf(record);
    if (kind !== KIND.except && kind !== KIND.several) return [];
    const units = this.#unitsOf(record);
    return Array.from({ length: units.length / 2 }, (_, i) => units[i * 2]! | (units[i * 2 + 1]! << 16));
  }

  /** The ends of a range. */
  boundsOf(record: number): { readonly low: number; readonly high: number } {
    const units = this.#unitsOf(record);
    return { low: doubleOf(units, 0), high: doubleOf(units, 4) };
  }

  /** Says that one more place of the tree leads on by this condition. From the first such place on, values of events look for it. */
  lead(record: number): void {
    if (this.#arena.words[record + HEAD.edges]!++ > 0 || !isGuessed(this.kindOf(record))) return;
    this.#chain(record);
  }

  unlead(record: number): void {
    if (--this.#arena.words[record + HEAD.edges]! > 0 || !isGuessed(this.kindOf(record))) return;
    this.#unchain(record);
  }

  /** Whether a text satisfies a wildcard or a glob. */
  isSatisfied(record: number, text: string): boolean {
    if (this.kindOf(record) === KIND.wildcard) {
      const { units, from, length } = this.table.unitsOf(record);
      const answer = matchesWritten(units, from, length, text);
      if (answer !== null) return answer;
    }
    return this.objectOf(record).satisfiedBy(text);
  }

  /** @param record of a wildcard */
  wildcardOf(record: number): WildcardCondition {
    const condition = this.#read(record);
    if (condition.kind !== 'wildcard') throw new Error('A record of another condition was taken for a wildcard.');
    return condition;
  }

  /** Whether a list that `holdsByMarks` could answer for is kept as an object, or is to be. */
  hasRoomFor(record: number): boolean {
    return this.#objects.hasRoomFor(record);
  }

  /** The test as an object. It is made for what cannot be answered by records alone. */
  objectOf(record: number): IndexedTest {
    const known = this.#objects.get(record);
    if (known !== undefined) return known;
    matchSteps.take(this.#makingSteps(record));
    const isList = this.kindOf(record) === KIND.several;
    const conditions = isList ? this.listOf(record) : [record];
    const made = new IndexedTest(
      this.pathOf(record),
      conditions.map((each) => this.#read(each)),
    );
    this.#objects.keep(record, made, isList && conditions.every((each) => isPlain(this.kindOf(each))));
    return made;
  }

  #makingSteps(record: number): number {
    const inner = this.listOf(record);
    if (inner.length > 0) return inner.reduce((sum, each) => sum + this.#makingSteps(each), 0);
    return MAKING_STEPS + (this.#arena.words[record + HEAD.length]! >>> UNITS_A_STEP);
  }

  #acquireOne(path: PathNode, condition: Condition): number {
    if (condition.kind === 'except') return this.#acquireList(path, KIND.except, condition.of);
    this.#buffer.clear();
    const kind = writeCondition(condition, this.#buffer);
    return this.#intern(path, kind);
  }

  #acquireList(path: PathNode, kind: number, conditions: readonly Condition[]): number {
    const records = conditions.map((condition) => this.#acquireOne(path, condition)).sort((a, b) => a - b);
    const distinct = records.filter((record, i) => record !== records[i - 1]);
    this.#buffer.clear();
    for (const record of distinct) this.#buffer.putInt(record);
    const { size } = this.table;
    const list = this.#intern(path, kind);
    // A list holds each of its conditions once, from when it was made: what else was acquired here is released.
    const isNew = this.table.size > size;
    if (isNew) this.#listWildcards(path, list, distinct);
    for (const [i, record] of records.entries()) if (!isNew || record === records[i - 1]) this.release(record);
    return list;
  }

  #listWildcards(path: PathNode, list: number, records: readonly number[]): void {
    const wildcards = records.filter((record) => this.kindOf(record) === KIND.wildcard);
    if (wildcards.length === 0) return;
    const { words } = this.#arena;
    path.wildcards ??= new ListedWildcards((each) => this.#wildcardsIn(each));
    path.wildcards.add(
      list,
      wildcards.reduce((sum, record) => sum + words[record + HEAD.length]!, 0),
    );
  }

  #wildcardsIn(list: number): WildcardCondition[] {
    const wildcards = this.listOf(list).filter((record) => this.kindOf(record) === KIND.wildcard);
    return wildcards.map((record) => this.wildcardOf(record));
  }

  /** What is in the buffer, as a record of the path. */
  #intern(path: PathNode, kind: number): number {
    if (path.uses === 0) this.#enter(path);
    const record = this.table.intern(tagOf(kind, path.id), this.#buffer, 0);
    if (this.#arena.words[record + HEAD.refs]!++ === 0) {
      path.uses++;
      const { units, end } = this.#buffer;
      const looksUp = isCertain(kind) || kind >= KIND.atStart;
      if (kind === KIND.cidr) path.probes!.networks.add(units.subarray(0, end), record);
      else if (looksUp) path.probes!.add(kind, end, [units[0]!, units[1]!]);
    }
    return record;
  }

  #enter(path: PathNode): void {
    path.id = this.#freePaths.pop() ?? this.#paths.length;
    this.#paths[path.id] = path;
    path.probes = new PathProbes(this.#arena);
  }

  #leave(path: PathNode): void {
    if (--path.uses > 0) return;
    this.#paths[path.id] = null;
    this.#freePaths.push(path.id);
    path.probes = null;
    path.prune();
  }

  #chain(record: number): void {
    const path = this.pathOf(record);
    const { kind, text } = tellingLiteral(this.#read(record));
    this.#buffer.clear();
    this.#buffer.putText(text);
    const literal = this.#intern(path, kind);
    const { words } = this.#arena;
    const first = words[literal + HEAD.next]!;
    words[record + HEAD.next] = first;
    words[record + HEAD.previous] = literal;
    words[literal + HEAD.next] = record;
    if (first !== 0) words[first + HEAD.previous] = record;
  }

  #unchain(record: number): void {
    const path = this.pathOf(record);
    const { kind, text } = tellingLiteral(this.#read(record));
    this.#buffer.clear();
    this.#buffer.putText(text);
    const literal = this.table.lookUp(tagOf(kind, path.id), this.#buffer, 0);
    const { words } = this.#arena;
    const next = words[record + HEAD.next]!;
    const previous = words[record + HEAD.previous]!;
    words[previous + HEAD.next] = next;
    if (next !== 0) words[next + HEAD.previous] = previous;
    if (--words[literal + HEAD.refs]! > 0) return;
    path.probes!.delete(kind, words[literal + HEAD.length]!, this.#firstOf(literal));
    this.table.remove(literal);
    this.#leave(path);
  }

  #read(record: number): Condition {
    const kind = this.kindOf(record);
    if (kind === KIND.except) return { kind: 'except', of: this.listOf(record).map((each) => this.#read(each)) };
    return readWritten(kind, this.#unitsOf(record)) satisfies PlainCondition;
  }

  #unitsOf(record: number): Uint16Array {
    const { units, from, length } = this.table.unitsOf(record);
    const copy = new Uint16Array(length);
    for (let i = 0; i < length; i++) copy[i] = units[from + i]!;
    return copy;
  }

  #firstOf(record: number): [number, number] {
    const { units, from } = this.table.unitsOf(record);
    return [units[from] ?? 0, units[from + 1] ?? 0];
  }
}
