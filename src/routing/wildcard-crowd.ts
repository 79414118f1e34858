import type { Wildcard } from './wildcard.ts';

/** A wildcard on its way through the text: which of its literals it waits for, and where they must have ended. */
interface Walker {
  readonly literals: readonly string[];
  readonly end: number;
  at: number;
  hasArrived: boolean;
}

/**
 * Which of the wildcards a text is, in one walk over it for all of them: the automaton of Aho and Corasick tells which literals end at
 * each place. Time is linear in the text and all wildcards, but for the literals that end at one place, which are of as many lengths.
 */
export function matchesOfCrowd(wildcards: readonly Wildcard[], text: string): boolean[] {
  return arrivals(wildcards, text, automatonOf);
}

/** Wildcards that many texts are asked for. */
export class WildcardCrowd {
  readonly #wildcards: readonly Wildcard[];
  readonly #automaton: LiteralAutomaton;

  constructor(wildcards: readonly Wildcard[]) {
    this.#wildcards = wildcards;
    this.#automaton = automatonOf(wildcards);
  }

  /** Which of them a text is: see `matchesOfCrowd`. */
  matches(text: string): boolean[] {
    return arrivals(this.#wildcards, text, () => this.#automaton);
  }
}

function arrivals(
  wildcards: readonly Wildcard[],
  text: string,
  automatonFor: (walkers: readonly Walker[]) => LiteralAutomaton,
): boolean[] {
  const walkers = wildcards.map(({ literals }) => walkerOf(literals, text));
  const onTheirWay = walkers.filter(({ at, hasArrived }) => at > 0 && !hasArrived);
  if (onTheirWay.length > 0) walk(onTheirWay, text, automatonFor(onTheirWay));
  return walkers.map(({ hasArrived }) => hasArrived);
}

function automatonOf(wildcards: readonly Wildcard[]): LiteralAutomaton {
  const automaton = new LiteralAutomaton();
  for (const { literals } of wildcards) for (const literal of literals.slice(1, -1)) automaton.add(literal);
  automaton.link();
  return automaton;
}

/** What can be said by the first and the last literal; `at` is 0 when the text cannot be it, and no more is to be asked. */
function walkerOf(literals: readonly string[], text: string): Walker {
  const [first, last] = [literals[0]!, literals.at(-1)!];
  const end = text.length - last.length;
  if (literals.length === 1) return { literals, end, at: 0, hasArrived: text === first };
  const fits = first.length <= end && text.startsWith(first) && text.endsWith(last);
  return { literals, end, at: fits ? 1 : 0, hasArrived: fits && literals.length === 2 };
}

function walk(walkers: readonly Walker[], text: string, automaton: LiteralAutomaton): void {
  // By the place where their next literal may end at the earliest, and then by the literal.
  const due = new Map<number, Walker[]>();
  // An array: a text may make it be asked for each length at each place.
  const waiting = new Array<Walker[] | undefined>(automaton.size).fill(undefined);
  let underWay = walkers.length;
  const expectFrom = (walker: Walker, from: number) => {
    const place = from + walker.literals[walker.at]!.length;
    if (place <= walker.end) put(due, place, walker);
    else underWay--;
  };
  for (const walker of walkers) expectFrom(walker, walker.literals[0]!.length);
  let state = 0;
  for (let place = 1; place <= text.length && underWay > 0; place++) {
    state = automaton.next(state, text.charCodeAt(place - 1));
    for (const walker of take(due, place)) {
      const literal = automaton.stateOf(walker.literals[walker.at]!);
      if (waiting[literal] === undefined) waiting[literal] = [walker];
      else waiting[literal].push(walker);
    }
    for (let ended = automaton.endingAt(state); ended !== 0; ended = automaton.endingBelow(ended)) {
      const arrived = waiting[ended];
      if (arrived === undefined) continue;
      waiting[ended] = undefined;
      for (const walker of arrived) {
        walker.hasArrived = place <= walker.end && ++walker.at === walker.literals.length - 1;
        if (walker.hasArrived || place > walker.end) underWay--;
        else expectFrom(walker, place);
      }
    }
  }
}

const NONE: readonly Walker[] = [];

function put(lists: Map<number, Walker[]>, key: number, walker: Walker): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [walker]);
  else list.push(walker);
}

function take(lists: Map<number, Walker[]>, key: number): readonly Walker[] {
  const list = lists.get(key);
  if (list === undefined) return NONE;
  lists.delete(key);
  return list;
}

const UNITS = 65_536;

/** Literals as states, each the way from 0 by its units (Aho and Corasick, Efficient String Matching, 1975). */
class LiteralAutomaton {
  readonly #steps = new Map<number, number>();
  readonly #parents = [0];
  readonly #units = [0];
  readonly #depths = [0];
  readonly #isEnd = [false];
  readonly #states = new Map<string, number>();
  #shorter = new Int32Array(0);
  #ending = new Int32Array(0);

  get size(): number {
    return this.#parents.length;
  }

  add(literal: string): void {
    if (this.#states.has(literal)) return;
    let state = 0;
    for (let i = 0; i < literal.length; i++) state = this.#step(state, literal.charCodeAt(i), i + 1);
    this.#isEnd[state] = true;
    this.#states.set(literal, state);
  }

  /** To be called once, after the last literal. */
  link(): void {
    const count = this.#parents.length;
    this.#shorter = new Int32Array(count);
    this.#ending = new Int32Array(count);
    const rising = Array.from({ length: count - 1 }, (_, i) => i + 1).sort(
      (a, b) => this.#depths[a]! - this.#depths[b]!,
    );
    for (const state of rising) {
      const parent = this.#parents[state]!;
      const shorter = parent === 0 ? 0 : this.next(this.#shorter[parent]!, this.#units[state]!);
      this.#shorter[state] = shorter;
      this.#ending[state] = this.#isEnd[state] ? state : this.#ending[shorter]!;
    }
  }

  next(from: number, unit: number): number {
    for (let state = from; ; state = this.#shorter[state]!) {
      const step = this.#steps.get(state * UNITS + unit);
      if (step !== undefined) return step;
      if (state === 0) return 0;
    }
  }

  stateOf(literal: string): number {
    return this.#states.get(literal)!;
  }

  /** The longest literal that ends in this state, as its state; 0 when none does. */
  endingAt(state: number): number {
    return this.#ending[state]!;
  }

  /** The next shorter one. */
  endingBelow(state: number): number {
    return this.#ending[this.#shorter[state]!]!;
  }

  #step(from: number, unit: number, depth: number): number {
    const known = this.#steps.get(from * UNITS + unit);
    if (known !== undefined) return known;
    const state = this.#parents.push(from) - 1;
    this.#units.push(unit);
    this.#depths.push(depth);
    this.#isEnd.push(false);
    this.#steps.set(from * UNITS + unit, state);
    return state;
  }
}
