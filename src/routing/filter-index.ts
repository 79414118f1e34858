import { ClauseTree } from './clause-tree.ts';
import type { Clause, FieldTest } from './condition.ts';
import { EventSearch } from './event-search.ts';
import { CLAUSE, newIndexMemory } from './index-memory.ts';
import { rankOf } from './indexed-test.ts';

/** About how many bytes a path takes, with what its values are looked up by. */
const PATH_BYTES = 1_000;

/** Marks are words of 32 bits. */
const MARKS = 2 ** 30;

/**
 * Many clauses in one structure: a tree in which clauses that begin with the same tests share their way, the tests that few events
 * satisfy first. An event goes down only where it satisfies, finding each next test by its own values, so that the work is that of the
 * event and of what it nearly matches. Clauses come and go one by one.
 */
export class FilterIndex {
  readonly #memory = newIndexMemory();
  readonly #tree = new ClauseTree(this.#memory);
  readonly #search: EventSearch;
  /** How many clauses there are. */
  size = 0;

  /** @param marks after how many events what is remembered of them is wiped out, because numbers for them are at an end */
  constructor(marks = MARKS) {
    this.#search = new EventSearch(this.#memory, this.#tree.root, marks);
  }

  /** Bytes of what is kept, without what is free for later. */
  get bytes(): number {
    const { arena, pairs, intervals, conditions } = this.#memory;
    const records = arena.used * 4 + pairs.size * 16 + conditions.table.size * 8 + intervals.size * 48;
    return records + conditions.paths * PATH_BYTES;
  }

  /** @returns the clause, to be handed back to `remove` */
  add(owner: number, clause: Clause): number {
    const { arena, conditions } = this.#memory;
    const tests = [...clause].sort(compareTests).map((field) => conditions.acquire(field));
    const added = arena.allocate(CLAUSE.tests + tests.length);
    arena.words[added + CLAUSE.owner] = owner;
    arena.words[added + CLAUSE.count] = tests.length;
    arena.words[added + CLAUSE.bits] = tests.reduce((bits, test) => bits | conditions.pathOf(test).bit, 0);
    arena.words.set(tests, added + CLAUSE.tests);
    this.#tree.insert(this.#tree.root, added, 0);
    this.size++;
    return added;
  }

  remove(clause: number): void {
    const { arena, conditions } = this.#memory;
    this.#tree.remove(this.#tree.root, clause, 0);
    const count = arena.words[clause + CLAUSE.count]!;
    const tests = arena.words.slice(clause + CLAUSE.tests, clause + CLAUSE.tests + count);
    for (const test of tests) conditions.release(test);
    arena.free(clause, CLAUSE.tests + count);
    this.size--;
  }

  /**
   * The owners of the clauses that an event matches, each once, in rising order.
   * @param event what `JSON.parse` or `parseExactly` made of it
   * @param mostSteps that it may take: see `matchSteps`
   * @throws TooCostlyToMatch where it would take more
   */
  match(event: unknown, mostSteps?: number): number[] {
    return this.#search.match(event, mostSteps);
  }
}

/** In an order that depends on the tests alone, so that clauses of the same fields share their way. */
function compareTests(a: FieldTest, b: FieldTest): number {
  const byRank = rankIn(a) - rankIn(b);
  if (byRank !== 0) return byRank;
  return a.path === b.path ? 0 : a.path < b.path ? -1 : 1;
}

/**
 * A test for one type goes before all others: there are few types, and then the rest of a clause is looked at only for events of its type.
 */
function rankIn({ path, anyOf }: FieldTest): number {
  return path === 'type' && anyOf.length === 1 && anyOf[0]!.kind === 'string' ? 0 : rankOf(anyOf);
}
