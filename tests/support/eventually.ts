import { setTimeout as delay } from 'node:timers/promises';
import { PATIENCE_MS } from './patience.ts';

const SOONEST_MS = 10;
const RAREST_MS = 200;

/**
 * Asks until the answer satisfies. For what leaves no signal to wait on, such as a row that another process writes. What takes long is asked
 * for less often, so that asking takes no time from what is waited for: the answer is late by a tenth of its time, and by 200 ms at most.
 * @throws Error when the time is over, also while a question is left without an answer
 */
export async function eventually<T>(
  ask: () => Promise<T>,
  satisfies: (answer: T) => boolean,
  timeoutMs = PATIENCE_MS,
): Promise<T> {
  const start = performance.now();
  let last: string | undefined;
  for (;;) {
    const still = () => new Error(`Still ${last ?? 'no answer'} after ${timeoutMs} ms`);
    const answer = await inTime(ask(), timeoutMs - (performance.now() - start), still);
    if (satisfies(answer)) return answer;
    last = `${JSON.stringify(answer)?.slice(0, 500)}`;
    const waited = performance.now() - start;
    if (waited > timeoutMs) throw still();
    await delay(Math.min(Math.max(waited / 10, SOONEST_MS), RAREST_MS));
  }
}

async function inTime<T>(answer: Promise<T>, leftMs: number, late: () => Error): Promise<T> {
  const answered = new AbortController();
  const over = delay(Math.max(leftMs, 0), undefined, { signal: answered.signal }).then(() => Promise.reject(late()));
  try {
    return await Promise.race([answer, over]);
  } finally {
    answered.abort();
  }
}
