import { setImmediate as nextTurn } from 'node:timers/promises';

/** Makes what somebody waits for. @returns what lets them have it */
type Piece = () => () => void;

/** One piece in a turn of the event loop, of one tenant after the other, however many pieces each has waiting. */
export class TurnQueue {
  /** By tenant, those first whose turn is next. */
  readonly #waiting = new Map<number, Piece[]>();
  #isBusy = false;

  /** @returns what `make` does when it is the tenant's turn, and throws what it throws */
  take<T>(tenantNum: number, make: () => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const piece = () => {
      try {
        const made = make();
        return () => resolve(made);
      } catch (error) {
        return () => reject(error);
      }
    };
    const pieces = this.#waiting.get(tenantNum) ?? [];
    pieces.push(piece);
    this.#waiting.set(tenantNum, pieces);
    if (!this.#isBusy) void this.#work();
    return promise;
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    while (this.#waiting.size > 0) {
      await nextTurn();
      const tell = this.#next()();
      // What is checked by it has a turn of its own.
      await nextTurn();
      tell();
    }
    this.#isBusy = false;
  }

  #next(): Piece {
    const [first] = this.#waiting;
    const [tenantNum, pieces] = first!;
    const piece = pieces.shift()!;
    this.#waiting.delete(tenantNum);
    // Behind all others that wait.
    if (pieces.length > 0) this.#waiting.set(tenantNum, pieces);
    return piece;
  }
}
