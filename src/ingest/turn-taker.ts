import { setImmediate as nextTurn } from 'node:timers/promises';

/** Longest that events of one request are checked before others have a turn, in ms. */
const TURN_MS = 20;

/**
 * Lets others have the event loop while the events of one request are checked by their schemas. To await a check does not do so by itself,
 * if its result is there already. One is made for each request. Checks that return no promise are too short to be counted.
 */
export class TurnTaker {
  readonly #steadyMs: () => number;
  #sinceMs: number;

  constructor(steadyMs = () => performance.now()) {
    this.#steadyMs = steadyMs;
    this.#sinceMs = steadyMs();
  }

  /** @returns what the check found, after a turn for others if one is due */
  async after<T>(check: Promise<T>): Promise<T> {
    const found = await check;
    if (this.#steadyMs() - this.#sinceMs >= TURN_MS) {
      await nextTurn();
      this.#sinceMs = this.#steadyMs();
    }
    return found;
  }
}
