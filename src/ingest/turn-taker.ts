import { setImmediate as nextTurn } from 'node:timers/promises';

/** How long the events of one request are checked before others have a turn. */
const TURN_MS = 20;

/**
 * Lets others have the event loop while the events of one request are checked by their schemas: to wait for what is there already leaves it to
 * nobody. Made per request; checks that are made at once are too short to be timed.
 */
export class TurnTaker {
  readonly #steadyMs: () => number;
  #sinceMs: number;

  constructor(steadyMs = () => performance.now()) {
    this.#steadyMs = steadyMs;
    this.#sinceMs = steadyMs();
  }

  /** What a check found; when it is their turn, others have had it. */
  async after<T>(check: Promise<T>): Promise<T> {
    const found = await check;
    if (this.#steadyMs() - this.#sinceMs >= TURN_MS) {
      await nextTurn();
      this.#sinceMs = this.#steadyMs();
    }
    return found;
  }
}
