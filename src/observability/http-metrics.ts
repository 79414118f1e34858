import type { MetricKit } from './metric-kit.ts';

export interface CountedConnections {
  readonly open: number;
  readonly cut: number;
}

/** The connections of the HTTP listener, read when somebody looks. */
export class HttpMetrics {
  #connections: CountedConnections | null = null;

  constructor(kit: MetricKit) {
    kit.reading('http_connections', 'Open connections of clients.', () => this.#connections?.open);
    kit.tally(
      'http_connections_cut_total',
      'Connections that were closed for want of room, idle ones first: see `MAX_CONNECTIONS`.',
      () => this.#connections?.cut ?? 0,
    );
  }

  watch(connections: CountedConnections): void {
    this.#connections = connections;
  }
}
