/**
 * The last part of something that is shared by dynamic thresholds. These bound each party, and not very many of them: without it they would
 * take the last of it together, though none has more than its share.
 */
export class Reserve {
  /** From so much free downwards it is being used. */
  readonly size: number;
  readonly #all: number;

  /**
   * @param all how much there is to share
   * @param share how much of it is left to those who have little
   */
  constructor(all: number, share: number) {
    this.#all = all;
    this.size = all * share;
  }

  /**
   * Whether a party has so little that it may have of the reserve: less than half of what each would have if all were shared out evenly,
   * while the reserve is whole, and ever less as it goes, so that many who come at once find something.
   * @param parties how many have some
   */
  isFor(has: number, free: number, parties: number): boolean {
    const few = this.#all / (2 * Math.max(1, parties));
    const left = free / this.size;
    return has < (left >= 1 ? few : Math.min(few, (free / 4) * left ** 2));
  }
}
