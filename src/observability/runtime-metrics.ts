import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import type { MetricKit } from './metric-kit.ts';

/** The resolution of the measurement of the event loop's delay, in ms: it counts as delay only what is beyond it. */
const RESOLUTION_MS = 10;
const QUANTILES = [0.5, 0.99, 1] as const;

/** What the process takes of its machine. Measures nothing before `start`. */
export class RuntimeMetrics {
  #delay: ReturnType<typeof monitorEventLoopDelay> | null = null;
  #gcSeconds = 0;
  #gcRuns = 0;
  readonly #gc = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      this.#gcSeconds += duration / 1000;
      this.#gcRuns++;
    }
  });

  constructor(kit: MetricKit) {
    kit.tally('process_cpu_seconds_total', 'CPU time of the process, user and system.', () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    });
    kit.reading('process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss());
    kit.reading('process_heap_bytes', 'Used part of the JavaScript heap.', () => process.memoryUsage().heapUsed);
    kit.reading(
      'process_start_time_seconds',
      'When the process started, in seconds since 1970.',
      () => performance.timeOrigin / 1000,
    );
    kit.labelled(
      'event_loop_delay_seconds',
      'By how much timers came too late since the last look: quantiles, 1 is the most.',
      ['quantile'],
      (gauge) => {
        const delay = this.#delay;
        if (delay === null) return;
        for (const quantile of QUANTILES) {
          const lateMs = delay.percentile(quantile * 100) / 1e6 - RESOLUTION_MS;
          gauge.set({ quantile: String(quantile) }, delay.count === 0 ? 0 : Math.max(0, lateMs) / 1000);
        }
        delay.reset();
      },
    );
    kit.tally('gc_seconds_total', 'Time spent in garbage collection.', () => this.#gcSeconds);
    kit.tally('gc_runs_total', 'Garbage collections.', () => this.#gcRuns);
  }

  start(): void {
    this.#delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    this.#delay.enable();
    this.#gc.observe({ entryTypes: ['gc'] });
  }

  stop(): void {
    this.#delay?.disable();
    this.#delay = null;
    this.#gc.disconnect();
  }
}
