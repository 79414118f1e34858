import { type PatternStep, programOf } from './pattern-program.ts';
import { parsePattern } from './pattern-tree.ts';

/** What is left of the work that one validation may cost, in characters of ASCII whose transition is known: some 10 to 20 ns each. */
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
  /** By code point. */
  readonly after: Map<number, State>;
  /** By code, of characters of ASCII: texts have little else, and to look one up in a Map takes ten times as long. It has no holes: to read one is slow. */
  ascii: (State | null)[];
}

/** Most transitions and steps of states that are remembered: a text may have a million different characters. */
const MAX_KEPT = 20_000;
/** What counts as remembered for a state's table of ASCII, which takes as much room as some transitions. */
const TABLE_KEPT = 8;
const ASCII = 128;
/** Of states of which nothing is known yet. */
const NOTHING: (State | null)[] = Array.from({ length: ASCII }, () => null);
/** What a character costs whose transition is known, beside one of ASCII (measured). */
const OTHER_COST = 8;
/** Characters that are looked at before it is asked whether they may be. */
const MOST_UNBURNT = 4_096;
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
    for (const state of this.#states.values()) {
      state.after.clear();
      state.ascii = NOTHING;
    }
    this.#states.clear();
    this.#first = null;
    this.#kept = 0;
  }

  /** @throws OutOfFuel */
  test(text: string): boolean {
    this.#first ??= this.#stateOf(this.#closure([0], true), true);
    let state = this.#first;
    // Counted here, and written down where the known ends: nearly all that is done is done in this loop.
    let known = 0;
    for (let i = 0; i < text.length; i++) {
      if (state.isMatch) break;
      const code = text.charCodeAt(i);
      const next = code < ASCII ? state.ascii[code]! : null;
      if (next !== null && known < MOST_UNBURNT) {
        known++;
        state = next;
        continue;
      }
      this.#burn(known);
      known = 0;
      const point = text.codePointAt(i)!;
      if (point > 0xffff) i++;
      this.#burn(code < ASCII ? 1 : OTHER_COST);
      state = next ?? state.after.get(point) ?? this.#advance(state, point);
    }
    this.#burn(known);
    return state.matchesAtEnd;
  }

  /** What ajv tells patterns apart by. */
  toString(): string {
    return `/${this.source}/u`;
  }

  #burn(amount: number): void {
    burn(this.#fuel, amount);
  }

  #advance(state: State, code: number): State {
    if (this.#kept >= MAX_KEPT) this.forget();
    const next: number[] = [];
    this.#burn(state.steps.length * STEP_COST);
    const char = String.fromCodePoint(code);
    for (const at of state.steps) {
      const step = this.#program[at]!;
      if (step.kind === 'one' && step.test(char)) next.push(step.next);
    }
    // A match may begin after any character.
    const found = this.#stateOf(this.#closure([...next, 0], false));
    if (code >= ASCII) state.after.set(code, found);
    else {
      if (state.ascii === NOTHING) {
        state.ascii = NOTHING.slice();
        this.#kept += TABLE_KEPT;
      }
      state.ascii[code] = found;
    }
    this.#kept++;
    return found;
  }

  #stateOf(steps: readonly number[], isBegin = false): State {
    const key = `${isBegin}${steps.join()}`;
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    const isMatch = this.#hasMatch(steps);
    const matchesAtEnd = isMatch || this.#hasMatch(this.#closure(steps, isBegin, true));
    const state = { steps, isMatch, matchesAtEnd, after: new Map<number, State>(), ascii: NOTHING };
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
