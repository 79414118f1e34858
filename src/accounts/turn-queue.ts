import { setImmediate as nextTurn } from 'node:timers/promises';

/** Does a piece of work. @returns what hands its result to whoever waits for it */
type Piece = () => () => void;

/**
 * Does pieces of work that hold the event loop: one in a turn of the loop, then one of another tenant, however many pieces each tenant
 * has waiting.
 */
export class TurnQueue {
  /** By tenant, the one whose turn is next first. */
  readonly #waiting = new Map<number, Piece[]>();
  #isBusy = false;

  /** Calls `make` when it is the tenant's turn. @returns what it returns; rejects with what it throws */
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
      // Whoever waits for it goes on in a turn of its own: the next one.
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
    // To the end: all other tenants that wait come first.
    if (pieces.length > 0) this.#waiting.set(tenantNum, pieces);
    return piece;
  }
}
