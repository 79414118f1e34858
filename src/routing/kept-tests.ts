import { type IndexedTest, weightOf } from './indexed-test.ts';

/** Tests that are kept as objects, of those that were asked; and conditions in them. */
const KEPT_TESTS = 4_096;
const KEPT_CONDITIONS = 250_000;
/**
 * The share of these limits that is kept when room is made. Otherwise each test that is made from then on would have to make room again.
 */
const KEPT_SHARE = 7 / 8;

/**
 * Tests that were made into objects, by their records, up to a limit. Some tests can also be asked without an object, which takes longer
 * (`holdsByMarks`). The objects of these are kept while there is room, and are dropped first when there is none. From then on no more of
 * them are made, until a test is released: each would be made only to be dropped again.
 */
export class KeptTests {
  readonly #tests = new Map<number, IndexedTest>();
  /** Records of those that could be asked without. */
  readonly #spare = new Set<number>();
  #conditions = 0;
  /** Whether some had to give way, and none was released since. */
  #isCrowded = false;

  get(record: number): IndexedTest | undefined {
    return this.#tests.get(record);
  }

  /** Whether a test that could be asked without is kept, or is to be. */
  hasRoomFor(record: number): boolean {
    return this.#tests.has(record) || !(this.#isCrowded || this.#isFull);
  }

  /** @param isSpare whether it could be asked without */
  keep(record: number, test: IndexedTest, isSpare: boolean): void {
    if (this.#isFull) this.#makeRoom();
    this.#tests.set(record, test);
    if (isSpare) this.#spare.add(record);
    this.#conditions += weightOf(test.anyOf);
  }

  /** Lets go what is asked no more. */
  release(record: number): void {
    if (this.#drop(record)) this.#isCrowded = false;
  }

  get #isFull(): boolean {
    return this.#tests.size >= KEPT_TESTS || this.#conditions >= KEPT_CONDITIONS;
  }

  #makeRoom(): void {
    this.#isCrowded = true;
    for (const record of this.#spare) {
      this.#drop(record);
      if (!this.#isFull) return;
    }
    for (const record of this.#tests.keys()) {
      this.#drop(record);
      if (this.#tests.size <= KEPT_TESTS * KEPT_SHARE && this.#conditions <= KEPT_CONDITIONS * KEPT_SHARE) return;
    }
  }

  /** @returns whether it was kept */
  #drop(record: number): boolean {
    const test = this.#tests.get(record);
    if (test === undefined) return false;
    this.#conditions -= weightOf(test.anyOf);
    this.#spare.delete(record);
    return this.#tests.delete(record);
  }
}
