import { setTimeout as delay } from 'node:timers/promises';
import { processIdentity } from './process-identity.ts';

/** Signals of the postmaster, mildest first, with the time that each is given (Postgres manual, "Shutting Down the Server"). */
type Steps = readonly (readonly [NodeJS.Signals, number])[];

/** Immediate: ends at once; the next start recovers from the log. */
export const AT_ONCE: Steps = [
  ['SIGQUIT', 5_000],
  ['SIGKILL', 5_000],
];

/**
 * The first is a fast shutdown: it ends the sessions and writes a checkpoint, of a gigabyte of pages at the most (`server-settings.ts`).
 * SIGTERM is never sent: Postgres would wait until all clients have left.
 */
const STEPS: Steps = [['SIGINT', 30_000], ...AT_ONCE];

/**
 * Ends the Postgres server `pid`, each step only if the one before did not do it in its time.
 * @param gone resolves when the process has ended.
 * @returns the signal that ended it, or null if none did.
 */
export async function stopServer(pid: number, gone: Promise<unknown>, steps = STEPS): Promise<NodeJS.Signals | null> {
  for (const [signal, patienceMs] of steps) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return signal;
      throw error;
    }
    const timer = new AbortController();
    const late = delay(patienceMs, 'late' as const, { signal: timer.signal }).catch(() => 'late' as const);
    const outcome = await Promise.race([gone.then(() => 'gone' as const), late]);
    timer.abort();
    if (outcome === 'gone') return signal;
  }
  return null;
}

/** Resolves when a process that is not our child has ended; the system tells nobody but the parent, so this looks. */
export async function processGone(pid: number): Promise<void> {
  const first = await processIdentity(pid);
  while (first !== null && (await processIdentity(pid)) === first) await delay(50);
}
