import { matchSteps } from './match-steps.ts';
import type { Wildcard } from './wildcard.ts';

/** A wildcard on its way through the text: which of its literals it waits for, and where they must have ended. */
interface Walker {
  readonly literals: readonly string[];
  readonly end: number;
  at: number;
  hasArrived: boolean;
}

/**
 * Which of the wildcards a text matches, in one walk over it for all of them: the automaton of Aho and Corasick tells which literals end at
 * each place. Time is linear in the text and all wildcards, but for the literals that end at one place: there is at most one of each
 * length.
 */
export function matchesOfCrowd(wildcards: readonly Wildcard[], text: string): boolean[] {
  return arrivals(wildcards, text, automatonOf);
}

/** Which wildcards of a crowd a text matches. */
export interface CrowdAnswers {
  /** @returns undefined for a wildcard that is not in the crowd */
  answerOf(written: string): boolean | undefined;
}

/**
 * How long a crowd takes to go one unit on, and to set a wildcard on its way, in units of text that a wildcard reads by itself in the same
 * time (measured).
 */
const UNIT_STEPS = 4;
const WALKER_STEPS = 16;

/** How many steps of `matchSteps` it takes to make a unit of a literal into a state, and to set a wildcard on its way. */
const STATE_STEPS = 10;
const WALKER_COST = 16;
/**
 * After so many units of a text `matchSteps` is told of the walk: four steps for each unit, and one for every two literals that ended
 * there.
 */
const COUNTED = 1_024;
const PLACE_STEPS = 4;

/** Wildcards that read many texts together. */
export class WildcardCrowd {
  readonly #wildcards: readonly Wildcard[];
  readonly #places: ReadonlyMap<string, number>;
  readonly #automaton: LiteralAutomaton;
  readonly #stepsAUnit: number;

  /** @param wildcards by what is written */
  constructor(wildcards: ReadonlyMap<string, Wildcard>) {
    this.#wildcards = [...wildcards.values()];
    this.#places = new Map([...wildcards.keys()].map((written, i) => [written, i]));
    this.#automaton = automatonOf(this.#wildcards);
    this.#stepsAUnit = UNIT_STEPS + this.#automaton.lengths;
  }

  get size(): number {
    return this.#wildcards.length;
  }

  /** How long they take to read a text at most, in units of text that a wildcard reads by itself in the same time. */
  stepsFor(text: string): number {
    return text.length * this.#stepsAUnit + this.size * WALKER_STEPS + this.#automaton.size;
  }

  /** Which of them a text matches: see `matchesOfCrowd`. */
  answersFor(text: string): CrowdAnswers {
    const answers = Uint8Array.from(
      arrivals(this.#wildcards, text, () => this.#automaton),
      Number,
    );
    const places = this.#places;
    return {
      answerOf(written) {
        const place = places.get(written);
        return place === undefined ? undefined : answers[place] === 1;
      },
    };
  }
}

function arrivals(
  wildcards: readonly Wildcard[],
  text: string,
  automatonFor: (walkers: readonly Walker[]) => LiteralAutomaton,
): boolean[] {
  matchSteps.take(wildcards.length * WALKER_COST);
  const walkers = wildcards.map(({ literals }) => walkerOf(literals, text));
  const onTheirWay = walkers.filter(({ at, hasArrived }) => at > 0 && !hasArrived);
  if (onTheirWay.length > 0) walk(onTheirWay, text, automatonFor(onTheirWay));
  return walkers.map(({ hasArrived }) => hasArrived);
}

function automatonOf(wildcards: readonly Wildcard[]): LiteralAutomaton {
  const literals = wildcards.flatMap((wildcard) => wildcard.literals.slice(1, -1));
  matchSteps.take(literals.reduce((sum, { length }) => sum + length, 0) * STATE_STEPS);
  return new LiteralAutomaton(literals);
}

/**
 * Sets a wildcard on its way, as far as its first and last literal go. `at` is 0 if they decide already, and nothing more is to be asked.
 */
function walkerOf(literals: readonly string[], text: string): Walker {
  const [first, last] = [literals[0]!, literals.at(-1)!];
  const end = text.length - last.length;
  if (literals.length === 1) return { literals, end, at: 0, hasArrived: text === first };
  const fits = first.length <= end && text.startsWith(first) && text.endsWith(last);
  return { literals, end, at: fits ? 1 : 0, hasArrived: fits && literals.length === 2 };
}

function walk(walkers: readonly Walker[], text: string, automaton: LiteralAutomaton): void {
  // Walkers wait here by the place where their next literal may end at the earliest, and from that place on in `waiting`, by the literal.
  const due = new Map<number, Walker[]>();
  // An array, not a Map: a text may have it asked for each length of a literal at each of its places.
  const waiting = new Array<Walker[] | undefined>(automaton.size).fill(undefined);
  let underWay = walkers.length;
  const expectFrom = (walker: Walker, from: number) => {
    const place = from + walker.literals[walker.at]!.length;
    if (place <= walker.end) put(due, place, walker);
    else underWay--;
  };
  for (const walker of walkers) expectFrom(walker, walker.literals[0]!.length);
  let state = 0;
  let looked = 0;
  for (let place = 1; place <= text.length && underWay > 0; place++) {
    if (place % COUNTED === 0) {
      matchSteps.take(PLACE_STEPS * COUNTED + (looked >>> 1));
      looked = 0;
    }
    state = automaton.next(state, text.charCodeAt(place - 1));
    for (const walker of take(due, place)) {
      const literal = automaton.stateOf(walker.literals[walker.at]!);
      if (waiting[literal] === undefined) waiting[literal] = [walker];
      else waiting[literal].push(walker);
    }
    for (let ended = automaton.endingAt(state); ended !== 0; ended = automaton.endingBelow(ended)) {
      looked++;
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

/** How many slots the table has for each state: a lookup then passes few others. */
const SLOTS_A_STATE = 2;
/** Random, so that nobody can choose literals whose states crowd at one part of the table. */
const SEED = crypto.getRandomValues(new Int32Array(1))[0]!;

/**
 * All literals as one automaton (Aho and Corasick, Efficient String Matching, 1975). A state stands for the beginning of a literal, and is
 * reached from state 0 by the units of that beginning. States are kept in arrays of numbers that have a place for each unit of all
 * literals: there may be millions of them, and a Map of as many takes ten times as long.
 */
class LiteralAutomaton {
  readonly #parents: Int32Array;
  readonly #units: Uint16Array;
  readonly #depths: Int32Array;
  readonly #isEnd: Uint8Array;
  readonly #shorter: Int32Array;
  readonly #ending: Int32Array;
  /** States by the hash of their parent and unit; 0 where there is none. */
  readonly #slots: Int32Array;
  readonly #states = new Map<string, number>();
  size = 1;
  /** How many lengths literals have: no more of them end at one place of a text. */
  readonly lengths: number;

  constructor(literals: Iterable<string>) {
    let most = 1;
    for (const literal of new Set(literals)) {
      this.#states.set(literal, 0);
      most += literal.length;
    }
    this.lengths = new Set(Array.from(this.#states.keys(), ({ length }) => length)).size;
    this.#parents = new Int32Array(most);
    this.#units = new Uint16Array(most);
    this.#depths = new Int32Array(most);
    this.#isEnd = new Uint8Array(most);
    this.#shorter = new Int32Array(most);
    this.#ending = new Int32Array(most);
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(SLOTS_A_STATE * most)));
    for (const literal of this.#states.keys()) this.#states.set(literal, this.#add(literal));
    this.#link();
  }

  next(from: number, unit: number): number {
    for (let state = from; ; state = this.#shorter[state]!) {
      const step = this.#slots[this.#slotOf(state, unit)]!;
      if (step !== 0) return step;
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

  /** The next shorter literal that ends in a state where one ends. */
  endingBelow(state: number): number {
    return this.#ending[this.#shorter[state]!]!;
  }

  #add(literal: string): number {
    let state = 0;
    for (let i = 0; i < literal.length; i++) state = this.#step(state, literal.charCodeAt(i), i + 1);
    this.#isEnd[state] = 1;
    return state;
  }

  #step(from: number, unit: number, depth: number): number {
    const slot = this.#slotOf(from, unit);
    const known = this.#slots[slot]!;
    if (known !== 0) return known;
    const state = this.size++;
    this.#parents[state] = from;
    this.#units[state] = unit;
    this.#depths[state] = depth;
    this.#slots[slot] = state;
    return state;
  }

  /** The slot where the step is, or would be. */
  #slotOf(from: number, unit: number): number {
    const end = this.#slots.length - 1;
    const hash = Math.imul(Math.imul(from ^ SEED, 0x9e3779b1) ^ unit, 0x85ebca77);
    for (let slot = (hash ^ (hash >>> 15)) & end; ; slot = (slot + 1) & end) {
      const state = this.#slots[slot]!;
      if (state === 0 || (this.#parents[state] === from && this.#units[state] === unit)) return slot;
    }
  }

  #link(): void {
    for (const state of this.#byDepth()) {
      const parent = this.#parents[state]!;
      const shorter = parent === 0 ? 0 : this.next(this.#shorter[parent]!, this.#units[state]!);
      this.#shorter[state] = shorter;
      this.#ending[state] = this.#isEnd[state] === 1 ? state : this.#ending[shorter]!;
    }
  }

  /** All states but 0, those nearest to it first. */
  #byDepth(): Int32Array {
    let deepest = 0;
    for (let state = 1; state < this.size; state++) deepest = Math.max(deepest, this.#depths[state]!);
    const ends = new Int32Array(deepest + 2);
    for (let state = 1; state < this.size; state++) ends[this.#depths[state]! + 1]!++;
    for (let depth = 1; depth < ends.length; depth++) ends[depth]! += ends[depth - 1]!;
    const rising = new Int32Array(this.size - 1);
    for (let state = 1; state < this.size; state++) {
      const depth = this.#depths[state]!;
      rising[ends[depth]!] = state;
      ends[depth]!++;
    }
    return rising;
  }
}
