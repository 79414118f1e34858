import { setTimeout as sleep } from 'node:timers/promises';
import { isDeadlockOrTimeout, isStatementTimeout } from './lock-errors.ts';

const MAX_TRIES = 10;

/** Runs `run`, which stands by itself, again where only others were in its way. */
export async function withRetries<T>(run: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await run();
    } catch (error) {
      if (tries >= MAX_TRIES || !isDeadlockOrTimeout(error)) throw error;
      await sleep(50 * tries * (0.5 + Math.random()));
    }
  }
}

/** The same for what does `most` things at once: where that takes longer than a statement may, half as many are to be tried. */
export async function withRetriesOrLess<T>(most: number, run: () => Promise<T>): Promise<T | 'too_many'> {
  try {
    return await withRetries(run);
  } catch (error) {
    if (most > 1 && isStatementTimeout(error)) return 'too_many';
    throw error;
  }
}
