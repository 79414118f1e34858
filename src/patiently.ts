import { setTimeout as delay } from 'node:timers/promises';

/** Less than a stop may take by default, for a signal that comes meanwhile. */
const PATIENCE_MS = 8_000;
const PAUSE_MS = 200;

/**
 * Does again what fails, without a word, for some seconds: a machine that is busy starting all of it takes longer to open a connection than a producer
 * may be kept waiting later.
 * @throws what the last try threw
 */
export async function patiently(run: () => Promise<void>, patienceMs = PATIENCE_MS): Promise<void> {
  const giveUpAt = performance.now() + patienceMs;
  for (;;) {
    try {
      return await run();
    } catch (error) {
      if (performance.now() >= giveUpAt) throw error;
      await delay(PAUSE_MS);
    }
  }
}
