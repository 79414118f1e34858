import { type PatternStep, programOf } from './pattern-program.ts';
import { parsePattern } from './pattern-tree.ts';

/** What is left of the work that one validation may cost, in characters whose transition is known. */
export interface Fuel {
  left: number;
}

/** The validation of a value would take too long. */
export class OutOfFuel extends Error {}

/** @throws OutOfFuel */
export function burn(fuel: Fuel, amount: number): void {
  fuel.left -= amount;
  if (fuel.left < 0) throw new OutOfFuel('The texts of a value take too long to be checked by a schema.');
}

/** Places in the program where matching may go on; what each character leads to is found once and remembered. */
interface State {
  readonly steps: readonly number[];
  readonly isMatch: boolean;
  /** Whether it is one when the text ends here. */
  readonly matchesAtEnd: boolean;
  readonly after: Map<string, State>;
}

/** Most transitions and steps of states that are remembered: a text may have a million different characters. */
const MAX_KEPT = 20_000;
/** What a step costs that is looked at to find a transition or a state, beside a transition that is known (measured). */
const STEP_COST = 40;

/**
 * A regular expression that is matched in time linear in the text, whatever it is: an automaton is followed in all its states at once,
 * nothing is tried and taken back. Searches anywhere in the text, as `pattern` of JSON Schema does.
 * @throws PatternProblem for what `parsePattern` and `programOf` refuse
 */
export class LinearPattern {
  readonly source: string;
  readonly #program: readonly PatternStep[];
  readonly #fuel: Fuel;
  readonly #states = new Map<string, State>();
  #first: State | null = null;
  #kept = 0;

  constructor(source: string, fuel: Fuel = { left: Number.POSITIVE_INFINITY }) {
    this.source = source;
    this.#program = programOf(parsePattern(source));
    this.#fuel = fuel;
  }

  get size(): number {
    return this.#program.length;
  }

  /** Transitions and steps of states that are remembered. */
  get kept(): number {
    return this.#kept;
  }

  /** Matching goes on as before; what is met again is found again. */
  forget(): void {
    for (const state of this.#states.values()) state.after.clear();
    this.#states.clear();
    this.#first = null;
    this.#kept = 0;
  }

  /** @throws OutOfFuel */
  test(text: string): boolean {
    this.#first ??= this.#stateOf(this.#closure([0], true), true);
    let state = this.#first;
    for (const char of text) {
      if (state.isMatch) return true;
      const known = state.after.get(char);
      this.#burn(1);
      state = known ?? this.#advance(state, char);
    }
    return state.matchesAtEnd;
  }

  /** What ajv tells patterns apart by. */
  toString(): string {
    return `/${this.source}/u`;
  }

  #burn(amount: number): void {
    burn(this.#fuel, amount);
  }

  #advance(state: State, char: string): State {
    if (this.#kept >= MAX_KEPT) this.forget();
    const next: number[] = [];
    this.#burn(state.steps.length * STEP_COST);
    for (const at of state.steps) {
      const step = this.#program[at]!;
      if (step.kind === 'one' && step.test(char)) next.push(step.next);
    }
    // A match may begin after any character.
    const found = this.#stateOf(this.#closure([...next, 0], false));
    state.after.set(char, found);
    this.#kept++;
    return found;
  }

  #stateOf(steps: readonly number[], isBegin = false): State {
    const key = `${isBegin}${steps.join()}`;
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    const isMatch = this.#hasMatch(steps);
    const matchesAtEnd = isMatch || this.#hasMatch(this.#closure(steps, isBegin, true));
    const state = { steps, isMatch, matchesAtEnd, after: new Map<string, State>() };
    this.#states.set(key, state);
    this.#kept += steps.length;
    return state;
  }

  #hasMatch(steps: readonly number[]): boolean {
    return steps.some((at) => this.#program[at]!.kind === 'match');
  }

  /** The steps that these lead to without a character. */
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
