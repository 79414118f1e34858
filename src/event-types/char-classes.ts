import type { CharTests } from './pattern-program.ts';

export const ASCII = 128;
/** No class: of the character it is not known yet. */
export const UNKNOWN = 0;
/** Characters outside ASCII whose class is remembered: a power of two. */
const RECENT = 256;
/** How much a class counts among what is remembered, and how many tests make it count one more. */
const CLASS_KEPT = 4;
const TESTS_A_UNIT = 8;

/**
 * Parts all characters into classes that a pattern cannot tell apart: where one character of a class leads, all of them lead. Classes have
 * numbers from 1 on. Most patterns have two to ten, whatever script a text is in. A class is found when the first of its characters comes.
 */
export class CharClasses {
  /** The class of each ASCII character that has come. */
  readonly ascii: number[] = Array.from({ length: ASCII }, () => UNKNOWN);
  readonly #tests: CharTests;
  readonly #numbers = new Map<string, number>();
  /**
   * The characters outside ASCII that came last, each at the place of its lowest bits: of a million of them no more are remembered than
   * there are places.
   */
  #points: Int32Array | null = null;
  readonly #recent = new Int32Array(RECENT);

  constructor(tests: CharTests) {
    this.#tests = tests;
  }

  /**
   * How many tests are tried on a character whose class is not known. To tell whether it is one of the single characters takes one lookup,
   * which is not counted.
   */
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
