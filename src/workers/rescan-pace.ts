import { type LaneFetch, START } from '../store/mailbox.ts';

/** Share of the time that reads from the start may take, once one takes longer than this, in ms. */
const SHARE = 1 / 20;
const CHEAP_MS = 20;
/** The longest time without one, in ms. */
export const LONGEST_PAUSE_MS = 60_000;

/**
 * When lanes may read from the start. Rows that vacuum may not clean up, because a transaction has stayed open since, stand in front there, and each read steps over
 * all of them: the more there are, the rarer it is.
 */
export class RescanPace {
  #nextAt = Number.NEGATIVE_INFINITY;
  /** What a fetch takes that goes on from a cursor: a Postgres that is far away or busy is no reason to read less from the start. */
  #usualMs = 0;

  mayBegin(now: number): boolean {
    return now >= this.#nextAt;
  }

  /** Takes note of a fetch that has ended, whatever came of it. */
  note(fetches: readonly LaneFetch[], beganAt: number): void {
    const endedAt = performance.now();
    const tookMs = endedAt - beganAt;
    if (!fetches.some(({ after }) => after === START)) {
      this.#usualMs = tookMs;
      return;
    }
    const extraMs = tookMs - this.#usualMs;
    if (extraMs > CHEAP_MS) this.#nextAt = endedAt + Math.min(extraMs / SHARE, LONGEST_PAUSE_MS);
  }
}
