import type { CharTest } from './pattern-program.ts';

export const ASCII = 128;
/** Characters outside ASCII whose class is remembered: a power of two. */
const RECENT = 256;

/**
 * The characters that a pattern cannot tell apart, as classes with numbers from 0 on: what one of them leads to, all of its class do. Most patterns have two to
 * ten, whatever script a text is in.
 */
export class CharClasses {
  /** The class of each code; they are all below `asciiCount`. */
  readonly ascii: readonly number[];
  readonly asciiCount: number;
  readonly #tests: readonly CharTest[];
  readonly #numbers = new Map<string, number>();
  /** What was looked for last, at the place of its lowest bits: of a million characters no more is remembered than this. */
  #points: Int32Array | null = null;
  readonly #classes = new Int32Array(RECENT);

  constructor(tests: readonly CharTest[]) {
    this.#tests = tests;
    this.ascii = Array.from({ length: ASCII }, (_, code) => this.#find(code));
    this.asciiCount = this.#numbers.size;
  }

  /** What is tried on a character whose class is not known. */
  get tests(): number {
    return this.#tests.length;
  }

  /** The class of a character outside ASCII, where it is remembered; -1 where not. */
  recall(point: number): number {
    const at = point & (RECENT - 1);
    return this.#points?.[at] === point ? this.#classes[at]! : -1;
  }

  find(point: number): number {
    const found = this.#find(point);
    this.#points ??= new Int32Array(RECENT);
    const at = point & (RECENT - 1);
    this.#points[at] = point;
    this.#classes[at] = found;
    return found;
  }

  #find(point: number): number {
    const char = String.fromCodePoint(point);
    let signature = '';
    for (const test of this.#tests) signature += test(char) ? '1' : '0';
    const known = this.#numbers.get(signature);
    if (known !== undefined) return known;
    const number = this.#numbers.size;
    this.#numbers.set(signature, number);
    return number;
  }
}
