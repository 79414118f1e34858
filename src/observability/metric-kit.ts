import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** A metric as the page of all metrics shows it. */
export interface MetricDescription {
  readonly name: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  readonly help: string;
}

const PREFIX = 'posthorn_';

/**
 * Makes metrics in a registry of its own, and knows what it made. Labels take values that are written in the code; where they could come
 * from elsewhere, `BoundedLabel` stands between. Never the id of a tenant, an endpoint or an event.
 */
export class MetricKit {
  readonly #registry = new Registry();
  readonly descriptions: MetricDescription[] = [];

  counter<Label extends string = never>(name: string, help: string, labelNames: readonly Label[] = []): Counter<Label> {
    return new Counter({ ...this.#describe('counter', name, help, labelNames), labelNames });
  }

  /** A gauge that is set, not read. */
  gauge<Label extends string = never>(name: string, help: string, labelNames: readonly Label[] = []): Gauge<Label> {
    return new Gauge({ ...this.#describe('gauge', name, help, labelNames), labelNames });
  }

  /** A gauge that is read when somebody looks; absent while there is nothing to read. */
  reading(name: string, help: string, read: () => number | undefined): void {
    new Gauge({
      ...this.#describe('gauge', name, help),
      collect() {
        const value = read();
        if (value === undefined) this.remove();
        else this.set(value);
      },
    });
  }

  /** The same with labels. */
  labelled<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    read: (gauge: Gauge<Label>) => void,
  ): void {
    const gauge: Gauge<Label> = new Gauge({
      ...this.#describe('gauge', name, help, labelNames),
      labelNames,
      collect: () => read(gauge),
    });
  }

  /** A counter that is kept elsewhere and read when somebody looks. */
  tally(name: string, help: string, read: () => number): void {
    new Counter({
      ...this.#describe('counter', name, help),
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }

  histogram(name: string, help: string, buckets: number[]): Histogram {
    return new Histogram({ ...this.#describe('histogram', name, help), buckets });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Everything, in Prometheus's text format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #describe(kind: MetricDescription['kind'], name: string, help: string, labels: readonly string[] = []) {
    const full = `${PREFIX}${name}`;
    this.descriptions.push({ name: full, kind, labels, help });
    return { name: full, help, registers: [this.#registry] };
  }
}
