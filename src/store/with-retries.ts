import { setTimeout as sleep } from 'node:timers/promises';
import { isDeadlockOrTimeout } from './lock-errors.ts';

const MAX_TRIES = 10;

/**
 * Runs `run`, which stands by itself, again where only others were in its way.
 * @param signal ends it before the next try
 */
export async function withRetries<T>(run: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await run();
    } catch (error) {
      if (tries >= MAX_TRIES || !isDeadlockOrTimeout(error)) throw error;
      await sleep(50 * tries * (0.5 + Math.random()));
      signal?.throwIfAborted();
    }
  }
}
