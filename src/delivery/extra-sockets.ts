/**
 * The sockets that connections in the making may have beside one each, for all of them together. Whoever asks for a connection counts one socket for it:
 * without a bound on the others, receivers that are silent at each of their addresses would have three times as many as were set as the most.
 */
export class ExtraSockets {
  #free: number;

  constructor(most: number) {
    this.#free = most;
  }

  /** @returns whether there was one left: it is to be given back then */
  take(): boolean {
    if (this.#free === 0) return false;
    this.#free--;
    return true;
  }

  giveBack(): void {
    this.#free++;
  }
}
