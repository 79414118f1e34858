/** Something long-lived. `start` resolves when it does its work; `stop` when nothing of it is left, within the time given. */
export interface Service {
  readonly name: string;
  start(): Promise<void>;
  stop(deadlineMs: number): Promise<void>;
}

/** Starts services in order. When one fails, those before it are stopped again and the failure is thrown. */
export async function startServices(services: readonly Service[], deadlineMs: number): Promise<void> {
  const started: Service[] = [];
  for (const service of services) {
    started.push(service);
    try {
      await service.start();
    } catch (error) {
      await stopServices(started, deadlineMs, () => {});
      throw error;
    }
  }
}

/** Stops services in reverse order, all within the deadline; one that fails or hangs does not keep the others. */
export async function stopServices(
  services: readonly Service[],
  deadlineMs: number,
  onFailure: (name: string, error: unknown) => void,
): Promise<void> {
  const end = performance.now() + deadlineMs;
  for (const service of [...services].reverse()) {
    const leftMs = Math.max(250, end - performance.now());
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
}

/** A duty that is done again and again, never twice at once: `runOnce`, then a pause. A failure is reported and does not end it. */
export function periodic(
  name: string,
  intervalMs: number,
  runOnce: () => Promise<void>,
  onFailure: (name: string, error: unknown) => void,
): Service {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  let isStopped = false;
  const round = () => {
    running = runOnce()
      .catch((error: unknown) => onFailure(name, error))
      .then(() => {
        if (!isStopped) timer = setTimeout(round, intervalMs);
      });
  };
  return {
    name,
    start: async () => round(),
    stop: async () => {
      isStopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
