import { setTimeout as delay } from 'node:timers/promises';
import { PATIENCE_MS } from './patience.ts';

const SOONEST_MS = 10;
const RAREST_MS = 200;

/**
 * Asks until the answer satisfies. For what leaves no signal to wait on, such as a row that another process writes. What takes long is asked
 * for less often, so that asking takes no time from what is waited for: the answer is late by a tenth of its time, and by 200 ms at most.
 */
export async function eventually<T>(
  ask: () => Promise<T>,
  satisfies: (answer: T) => boolean,
  timeoutMs = PATIENCE_MS,
): Promise<T> {
  const start = performance.now();
  for (;;) {
    const answer = await ask();
    if (satisfies(answer)) return answer;
    const waited = performance.now() - start;
    if (waited > timeoutMs) throw new Error(`Still ${JSON.stringify(answer)?.slice(0, 500)} after ${timeoutMs} ms`);
    await delay(Math.min(Math.max(waited / 10, SOONEST_MS), RAREST_MS));
  }
}
