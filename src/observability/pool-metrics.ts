import type { MetricKit } from './metric-kit.ts';

/** As `pg.Pool` counts its connections. */
export interface CountedPool {
  readonly totalCount: number;
  readonly idleCount: number;
  /** Who waits for one. */
  readonly waitingCount: number;
}

/** The pools of connections to Postgres, read when somebody looks. */
export class PoolMetrics {
  readonly #pools = new Map<string, CountedPool>();

  constructor(kit: MetricKit) {
    kit.labelled(
      'postgres_connections',
      'Connections of each pool, by state: total, idle.',
      ['pool', 'state'],
      (gauge) => {
        for (const [pool, { totalCount, idleCount }] of this.#pools) {
          gauge.set({ pool, state: 'total' }, totalCount);
          gauge.set({ pool, state: 'idle' }, idleCount);
        }
      },
    );
    kit.labelled(
      'postgres_connections_waited_for',
      'Statements that wait for a connection of the pool.',
      ['pool'],
      (gauge) => {
        for (const [pool, { waitingCount }] of this.#pools) gauge.set({ pool }, waitingCount);
      },
    );
  }

  add(name: string, pool: CountedPool): void {
    this.#pools.set(name, pool);
  }
}
