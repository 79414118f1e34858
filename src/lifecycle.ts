import { unlessAborted } from './unless-aborted.ts';

/** Something long-lived. `start` resolves when it does its work; `stop` when nothing of it is left, within the time given. */
export interface Service {
  readonly name: string;
  start(): Promise<void>;
  stop(deadlineMs: number): Promise<void>;
}

/**
 * A service, or several that can do without each other at the end: these start in order as well, but stop together, so that one that takes
 * its time takes none of the others'.
 */
export type Stage = Service | readonly Service[];

/**
 * Starts services in order. When one fails, those before it are stopped again and the failure is thrown.
 * @returns false when `signal` was aborted first: then the one that was starting is not waited for, and it and those before it are stopped
 */
export async function startServices(
  stages: readonly Stage[],
  deadlineMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const started: Service[][] = [];
  for (const stage of stages) {
    const begun: Service[] = [];
    started.push(begun);
    for (const service of [stage].flat()) {
      try {
        signal.throwIfAborted();
        begun.push(service);
        await unlessAborted(service.start(), signal);
        signal.throwIfAborted();
      } catch (error) {
        await stopServices(started, deadlineMs, () => {});
        if (signal.aborted) return false;
        throw error;
      }
    }
  }
  return true;
}

/** Stops stage after stage in reverse order, all within the deadline; a service that fails or hangs does not keep the others. */
export async function stopServices(
  stages: readonly Stage[],
  deadlineMs: number,
  onFailure: (name: string, error: unknown) => void,
): Promise<void> {
  const end = performance.now() + deadlineMs;
  for (const stage of [...stages].reverse()) {
    const leftMs = Math.max(250, end - performance.now());
    await Promise.all([stage].flat().map((service) => stopWithin(service, leftMs, onFailure)));
  }
}

async function stopWithin(
  service: Service,
  leftMs: number,
  onFailure: (name: string, error: unknown) => void,
): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`did not stop within ${Math.round(leftMs)} ms`)), leftMs);
  try {
    await Promise.race([service.stop(leftMs), late]);
  } catch (error) {
    onFailure(service.name, error);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * A duty that is done again and again, never twice at once: `runOnce`, then a pause. A failure is reported and does not end it.
 * @param runOnce is told by the signal that it is to stop: what has no end known beforehand looks at it between two statements
 */
export function periodic(
  name: string,
  intervalMs: number,
  runOnce: (signal: AbortSignal) => Promise<void>,
  onFailure: (name: string, error: unknown) => void,
): Service {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  const stopping = new AbortController();
  const { signal } = stopping;
  const round = () => {
    running = runOnce(signal)
      .catch((error: unknown) => onFailure(name, error))
      .then(() => {
        if (!signal.aborted) timer = setTimeout(round, intervalMs);
      });
  };
  return {
    name,
    start: async () => round(),
    stop: async () => {
      stopping.abort();
      clearTimeout(timer);
      await running;
    },
  };
}
