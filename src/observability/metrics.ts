import { deliveryMetrics } from './delivery-metrics.ts';
import { HttpMetrics } from './http-metrics.ts';
import { ingestMetrics } from './ingest-metrics.ts';
import { InstallationFigures } from './installation-figures.ts';
import { type MetricDescription, MetricKit } from './metric-kit.ts';
import { PoolMetrics } from './pool-metrics.ts';
import { ProcessStates } from './process-states.ts';
import { RuntimeMetrics } from './runtime-metrics.ts';
import { sourceMetrics } from './source-metrics.ts';
import { workMetrics } from './work-metrics.ts';

/** Every metric of a process. */
export class Metrics {
  readonly #kit = new MetricKit();
  readonly ingest = ingestMetrics(this.#kit);
  readonly sources = sourceMetrics(this.#kit);
  readonly deliveries = deliveryMetrics(this.#kit);
  readonly work = workMetrics(this.#kit);
  readonly states = new ProcessStates(this.#kit);
  readonly figures = new InstallationFigures(this.#kit);
  readonly pools = new PoolMetrics(this.#kit);
  readonly http = new HttpMetrics(this.#kit);
  readonly runtime = new RuntimeMetrics(this.#kit);
  readonly linesDropped = this.#kit.counter(
    'log_lines_dropped_total',
    'Lines of the log that were not kept, because whoever reads it did not read, or its disk was full.',
  );
  #rendering: Promise<string> | null = null;
  readonly #build = this.#kit.gauge('build_info', 'Always 1: what runs here.', ['version', 'node']);

  get descriptions(): readonly MetricDescription[] {
    return this.#kit.descriptions;
  }

  get contentType(): string {
    return this.#kit.contentType;
  }

  noteBuild(version: string): void {
    this.#build.set({ version, node: process.versions.node }, 1);
  }

  /** All of them, in Prometheus's text format 0.0.4. Who asks while it is being made gets the same: anybody may ask, as often as they like. */
  text(): Promise<string> {
    this.#rendering ??= this.#render().finally(() => {
      this.#rendering = null;
    });
    return this.#rendering;
  }

  async #render(): Promise<string> {
    await this.figures.refresh();
    return this.#kit.text();
  }
}
