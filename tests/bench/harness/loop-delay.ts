/** By how much timers of a process came too late since its metrics were last read, in milliseconds. */
export interface LoopDelay {
  readonly p99Ms: number;
  readonly maxMs: number;
}

const TIMEOUT_MS = 10_000;

/** Asks a process of the system, and begins its next window with that. Null when it does not say. */
export async function readLoopDelay(port: number): Promise<LoopDelay | null> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    return parseLoopDelay(await answer.text());
  } catch {
    return null;
  }
}

/** Reads Prometheus's text format. */
export function parseLoopDelay(metrics: string): LoopDelay | null {
  const [p99, max] = ['0.99', '1'].map((quantile) => {
    const line = `posthorn_event_loop_delay_seconds{quantile="${quantile}"} `;
    const at = metrics.indexOf(`\n${line}`);
    return at < 0 ? Number.NaN : Number.parseFloat(metrics.slice(at + 1 + line.length)) * 1_000;
  });
  return Number.isNaN(p99! + max!) ? null : { p99Ms: p99!, maxMs: max! };
}
