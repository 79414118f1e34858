import type { Dialling } from './guarded-connector.ts';

/**
 * The connections in the making of one pool whose requests are over. They go on, so that a receiver that takes longer to connect to than a request may
 * last has a connection for the next one; but not at the cost of a request that finds no other place.
 */
export class UnclaimedDials {
  readonly #dials = new Set<Dialling>();

  add(dial: Dialling): void {
    this.#dials.add(dial);
  }

  /** To be called when it is made or has failed. */
  remove(dial: Dialling): void {
    this.#dials.delete(dial);
  }

  /** Ends the one whose request was over first, if there is any, for somebody who waits for its place. */
  giveUpOne(): void {
    for (const dial of this.#dials) {
      this.#dials.delete(dial);
      dial.giveUp();
      return;
    }
  }
}
