import { ASCII, CharClasses, UNKNOWN } from './char-classes.ts';
import { type CharTests, type PatternStep, programOf } from './pattern-program.ts';
import { parsePattern } from './pattern-tree.ts';

/** How much work one validation may still do, counted in ASCII characters whose transition is known: some 10 to 20 ns each. */
export interface Fuel {
  left: number;
}

/** Thrown when the validation of a value would take too long. */
export class OutOfFuel extends Error {}

/** @throws OutOfFuel */
export function burn(fuel: Fuel, amount: number): void {
  fuel.left -= amount;
  if (fuel.left < 0) throw new OutOfFuel('The texts of a value take too long to be checked by a schema.');
}

/** A set of places in the program where matching may go on. Where each class of characters leads is found out once and remembered. */
interface State {
  readonly steps: readonly number[];
  readonly isMatch: boolean;
  /** Whether it is a match when the text ends here. */
  readonly matchesAtEnd: boolean;
  /**
   * Where each class of characters leads; null where that is not known. The classes of ASCII have places here from the start, because
   * reading past the end of an array, or a hole in it, is slow.
   */
  after: (State | null)[];
}

/** How many transitions and steps of states are remembered at most: for some patterns each text makes states of its own. */
const MAX_KEPT = 20_000;
/** How many classes have room at first. The room doubles whenever it is full. */
const FIRST_CLASSES = 4;
/** How much a state counts among what is remembered, beside its steps and transitions. */
const STATE_KEPT = 4;
/** What a character outside ASCII costs if its class is known, compared with one of ASCII (measured). */
const OTHER_COST = 8;
/** What a test costs that is tried on a character to find its class, likewise. */
const TEST_COST = 16;
/** After so many characters at most, they are burnt from the fuel. */
const MOST_UNBURNT = 4_096;
/** What it costs to look at a step when a transition or a state is found out, compared with a transition that is known (measured). */
const STEP_COST = 40;

/**
 * A regular expression that is matched in time linear in the text, whatever the pattern is: it follows all states of an automaton at once,
 * and never goes back. It searches anywhere in the text, as `pattern` of JSON Schema does.
 * @throws PatternProblem for what `parsePattern` and `programOf` refuse
 */
export class LinearPattern {
  readonly source: string;
  readonly #program: readonly PatternStep[];
  readonly #tests: CharTests;
  /** Made when they are first needed: most patterns are only measured, and never matched. */
  #classes: CharClasses | null = null;
  /** The `after` of states of which nothing is known yet. */
  #nothing: (State | null)[] = roomFor(FIRST_CLASSES);
  readonly #fuel: Fuel;
  readonly #states = new Map<string, State>();
  #first: State | null = null;
  #kept = 0;

  constructor(source: string, fuel: Fuel = { left: Number.POSITIVE_INFINITY }) {
    this.source = source;
    const { steps, tests } = programOf(parsePattern(source));
    this.#program = steps;
    this.#tests = tests;
    this.#fuel = fuel;
  }

  get size(): number {
    return this.#program.length;
  }

  /** How much is remembered: transitions, steps of states, and classes. */
  get kept(): number {
    return this.#kept + (this.#classes?.kept ?? 0);
  }

  /** Forgets what is remembered. Matching stays the same: what is met again is found out again. */
  forget(): void {
    this.#classes = null;
    this.#nothing = roomFor(FIRST_CLASSES);
    this.#forgetStates();
  }

  #forgetStates(): void {
    for (const state of this.#states.values()) state.after = this.#nothing;
    this.#states.clear();
    this.#first = null;
    this.#kept = 0;
  }

  /** @throws OutOfFuel */
  test(text: string): boolean {
    this.#classes ??= new CharClasses(this.#tests);
    const classes = this.#classes;
    const { ascii } = classes;
    this.#first ??= this.#stateOf(this.#closure([0], true), true);
    let state = this.#first;
    // Counted here, and burnt when something unknown comes: nearly all time goes into this loop.
    let known = 0;
    for (let i = 0; i < text.length; i++) {
      if (state.isMatch) break;
      const code = text.charCodeAt(i);
      const next = code < ASCII ? state.after[ascii[code]!]! : null;
      if (next !== null && known < MOST_UNBURNT) {
        known++;
        state = next;
        continue;
      }
      this.#burn(known);
      known = 0;
      const point = text.codePointAt(i)!;
      if (point > 0xffff) i++;
      const of = this.#classOf(point, classes);
      this.#burn(code < ASCII ? 1 : OTHER_COST);
      state = state.after[of] ?? this.#advance(state, point, of);
    }
    this.#burn(known);
    return state.matchesAtEnd;
  }

  /** ajv tells patterns apart by this. */
  toString(): string {
    return `/${this.source}/u`;
  }

  #burn(amount: number): void {
    burn(this.#fuel, amount);
  }

  #classOf(point: number, classes: CharClasses): number {
    const recalled = classes.recall(point);
    if (recalled !== UNKNOWN) return recalled;
    this.#burn(classes.tests * TEST_COST);
    const found = classes.find(point);
    if (point < ASCII && found >= this.#nothing.length) this.#makeRoom(found);
    return found;
  }

  /** All states have the same room. So they are forgotten, and found out again with more. */
  #makeRoom(classes: number): void {
    this.#nothing = roomFor(Math.max(2 * this.#nothing.length, classes + 1));
    this.#forgetStates();
  }

  /** @param of the class of the character */
  #advance(state: State, point: number, of: number): State {
    if (this.#kept >= MAX_KEPT) this.#forgetStates();
    const next: number[] = [];
    this.#burn(state.steps.length * STEP_COST);
    const char = String.fromCodePoint(point);
    for (const at of state.steps) {
      const step = this.#program[at]!;
      if (step.kind === 'one' && step.test(char)) next.push(step.next);
    }
    // A match may begin after any character.
    const found = this.#stateOf(this.#closure([...next, 0], false));
    this.#remember(state, of, found);
    return found;
  }

  #remember(state: State, of: number, found: State): void {
    if (state.after === this.#nothing) {
      state.after = this.#nothing.slice();
      this.#kept += state.after.length;
    }
    for (; state.after.length <= of; this.#kept++) state.after.push(null);
    state.after[of] = found;
  }

  #stateOf(steps: readonly number[], isBegin = false): State {
    const key = `${isBegin}${steps.join()}`;
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    const isMatch = this.#hasMatch(steps);
    const matchesAtEnd = isMatch || this.#hasMatch(this.#closure(steps, isBegin, true));
    const state = { steps, isMatch, matchesAtEnd, after: this.#nothing };
    this.#states.set(key, state);
    this.#kept += steps.length + STATE_KEPT;
    return state;
  }

  #hasMatch(steps: readonly number[]): boolean {
    return steps.some((at) => this.#program[at]!.kind === 'match');
  }

  /** The steps that can be reached from these without a character. */
  #closure(from: readonly number[], isBegin: boolean, isEnd = false): readonly number[] {
    const seen = new Set<number>();
    const pending = [...from];
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      if (seen.has(at)) continue;
      seen.add(at);
      const step = this.#program[at]!;
      if (step.kind === 'either') pending.push(step.next, step.other);
      else if ((step.kind === 'begin' && isBegin) || (step.kind === 'end' && isEnd)) pending.push(step.next);
    }
    this.#burn(seen.size * STEP_COST);
    return [...seen].filter((at) => this.#program[at]!.kind !== 'either').sort((a, b) => a - b);
  }
}

function roomFor(classes: number): (State | null)[] {
  return Array.from({ length: classes }, () => null);
}
