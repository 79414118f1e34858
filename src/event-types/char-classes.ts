import type { CharTests } from './pattern-program.ts';

export const ASCII = 128;
/** No class: that of a character which was not looked for yet. */
export const UNKNOWN = 0;
/** Characters outside ASCII whose class is remembered: a power of two. */
const RECENT = 256;
/** What counts as remembered for a class, and the tests that count as one more. */
const CLASS_KEPT = 4;
const TESTS_A_UNIT = 8;

/**
 * The characters that a pattern cannot tell apart, as classes with numbers from 1 on: what one of them leads to, all of its class do. Most patterns have two to
 * ten, whatever script a text is in. A class is found when a character of it comes first.
 */
export class CharClasses {
  /** The class of each code that came. */
  readonly ascii: number[] = Array.from({ length: ASCII }, () => UNKNOWN);
  readonly #tests: CharTests;
  readonly #numbers = new Map<string, number>();
  /** What was looked for last outside ASCII, at the place of its lowest bits: of a million characters no more is remembered than this. */
  #points: Int32Array | null = null;
  readonly #recent = new Int32Array(RECENT);

  constructor(tests: CharTests) {
    this.#tests = tests;
  }

  /** What is tried on a character whose class is not known; which of single characters it is takes one look. */
  get tests(): number {
    return this.#tests.ofMany.length;
  }

  get kept(): number {
    return this.#numbers.size * (CLASS_KEPT + Math.floor(this.tests / TESTS_A_UNIT));
  }

  /** The class of a character, where it is remembered. */
  recall(point: number): number {
    if (point < ASCII) return this.ascii[point]!;
    const at = point & (RECENT - 1);
    return this.#points?.[at] === point ? this.#recent[at]! : UNKNOWN;
  }

  find(point: number): number {
    const found = this.#numberOf(String.fromCodePoint(point));
    if (point < ASCII) {
      this.ascii[point] = found;
      return found;
    }
    this.#points ??= new Int32Array(RECENT);
    const at = point & (RECENT - 1);
    this.#points[at] = point;
    this.#recent[at] = found;
    return found;
  }

  #numberOf(char: string): number {
    let signature = this.#tests.single.has(char) ? char : '';
    for (const test of this.#tests.ofMany) signature += test(char) ? '1' : '0';
    const known = this.#numbers.get(signature);
    if (known !== undefined) return known;
    const number = this.#numbers.size + 1;
    this.#numbers.set(signature, number);
    return number;
  }
}
