import { linkEdge, unlinkEdge } from './edge-links.ts';
import { CLAUSE, type IndexMemory, PLACE } from './index-memory.ts';

/** How many clauses a place holds as a list. When there are more, the place is parted by their next tests. */
const FEW = 8;

/**
 * The tree of clauses. Clauses that begin with the same tests share their way through it. A place holds a few clauses as a list; one with
 * too many is parted, and an edge for each next test leads on: to the clause, if only one has that test, or to another place.
 */
export class ClauseTree {
  readonly root: number;
  readonly #memory: IndexMemory;

  constructor(memory: IndexMemory) {
    this.#memory = memory;
    this.root = memory.arena.allocate(PLACE.words);
  }

  /** @param depth how many of the clause's tests lead to the place */
  insert(place: number, clause: number, depth: number): void {
    const { arena, pairs } = this.#memory;
    if (arena.words[place + PLACE.isParted] === 0) {
      this.#enlist(place, clause);
      if (arena.words[place + PLACE.count]! > FEW) this.#part(place, depth);
      return;
    }
    if (depth === arena.words[clause + CLAUSE.count]) {
      this.#enlist(place, clause);
      return;
    }
    const test = arena.words[clause + CLAUSE.tests + depth]!;
    const target = pairs.get(place, test);
    if (target === 0) this.#addEdge(place, test, clause);
    else this.insert(target < 0 ? -target : this.#placeAhead(place, test, target), clause, depth + 1);
  }

  /** @returns whether nothing is left at the place */
  remove(place: number, clause: number, depth: number): boolean {
    const { words } = this.#memory.arena;
    const isListed = words[place + PLACE.isParted] === 0 || depth === words[clause + CLAUSE.count];
    if (isListed) this.#delist(place, clause);
    else this.#removeBelow(place, clause, depth);
    if (words[place + PLACE.count] !== 0 || words[place + PLACE.edges] !== 0) return false;
    words[place + PLACE.isParted] = 0;
    words[place + PLACE.bits] = 0;
    return true;
  }

  #removeBelow(place: number, clause: number, depth: number): void {
    const { arena, pairs } = this.#memory;
    const test = arena.words[clause + CLAUSE.tests + depth]!;
    const at = pairs.find(place, test);
    const [target, links] = [pairs.slots[at + 2]!, pairs.slots[at + 3]!];
    if (target < 0) {
      if (!this.remove(-target, clause, depth + 1)) return;
      arena.free(-target, PLACE.words);
    }
    pairs.delete(place, test);
    unlinkEdge(this.#memory, place, test, links);
    arena.words[place + PLACE.edges]!--;
  }

  #addEdge(place: number, test: number, target: number): void {
    const { arena, pairs, conditions } = this.#memory;
    const links = linkEdge(this.#memory, place, test);
    pairs.set(place, test, target, links);
    arena.words[place + PLACE.edges]!++;
    arena.words[place + PLACE.bits]! |= conditions.pathOf(test).bit;
  }

  /** Puts a place between an edge and the clause that it leads to. */
  #placeAhead(place: number, test: number, clause: number): number {
    const { arena, pairs } = this.#memory;
    const made = arena.allocate(PLACE.words);
    this.#enlist(made, clause);
    pairs.slots[pairs.find(place, test) + 2] = -made;
    return made;
  }

  #part(place: number, depth: number): void {
    const { arena } = this.#memory;
    let clause = arena.words[place + PLACE.first]!;
    arena.words[place + PLACE.first] = 0;
    arena.words[place + PLACE.count] = 0;
    arena.words[place + PLACE.isParted] = 1;
    while (clause !== 0) {
      const next = arena.words[clause + CLAUSE.next]!;
      this.insert(place, clause, depth);
      clause = next;
    }
  }

  #enlist(place: number, clause: number): void {
    const { words } = this.#memory.arena;
    const first = words[place + PLACE.first]!;
    words[clause + CLAUSE.next] = first;
    words[clause + CLAUSE.previous] = 0;
    if (first !== 0) words[first + CLAUSE.previous] = clause;
    words[place + PLACE.first] = clause;
    words[place + PLACE.count]!++;
  }

  #delist(place: number, clause: number): void {
    const { words } = this.#memory.arena;
    const next = words[clause + CLAUSE.next]!;
    const previous = words[clause + CLAUSE.previous]!;
    if (next !== 0) words[next + CLAUSE.previous] = previous;
    if (previous === 0) words[place + PLACE.first] = next;
    else words[previous + CLAUSE.next] = next;
    words[place + PLACE.count]!--;
  }
}
