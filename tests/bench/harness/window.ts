import type { Readings } from './counters.ts';
import type { LoadCounts } from './load-protocol.ts';
import type { SinkCounts } from './sink-protocol.ts';

/** Everything that is counted, at one moment. CPU times are by process of the system. */
export interface Snapshot extends Readings {
  readonly atMs: number;
  readonly cpuMs: Readonly<Record<string, number>>;
  readonly sink: SinkCounts;
  readonly load: LoadCounts;
}

/** A figure by its name; null for one that cannot be known here. Names end in their unit. */
export type Figures = Readonly<Record<string, number | null>>;

/**
 * What happened between two snapshots. CPU is that of the system alone, load and sink left out; `per` says what it is divided by.
 * @param limitUs CPU time of one request of the limit, in microseconds
 */
export function figuresBetween(
  before: Snapshot,
  after: Snapshot,
  limitUs: number,
  per: 'delivery' | 'event' = 'delivery',
): Figures {
  const seconds = (after.atMs - before.atMs) / 1_000;
  const deliveries = after.sink.delivered - before.sink.delivered;
  const events = after.load.accepted - before.load.accepted;
  const units = per === 'delivery' ? deliveries : events;
  const each = (from: number | null, to: number | null) =>
    from === null || to === null || units === 0 ? null : (to - from) / units;
  const cpu: Record<string, number | null> = {};
  for (const [role, ms] of Object.entries(after.cpuMs)) cpu[role] = each(before.cpuMs[role] ?? 0, ms);
  cpu.postgres = each(before.postgresCpuMs, after.postgresCpuMs);
  if (after.redisCpuMs !== null) cpu.redis = each(before.redisCpuMs, after.redisCpuMs);
  const parts = Object.values(cpu);
  // A part that is not known would make the whole look better than it is.
  const total = parts.includes(null) ? null : parts.reduce<number>((sum, ms) => sum + ms! * 1_000, 0);
  return {
    ...(per === 'delivery' ? { deliveries_per_s: deliveries / seconds } : {}),
    events_per_s: events / seconds,
    ...(per === 'delivery' ? { ratio: total === null ? null : total / limitUs } : {}),
    [`cpu_us_per_${per}`]: total,
    ...Object.fromEntries(Object.entries(cpu).map(([name, ms]) => [`cpu_us_${name}`, ms === null ? null : ms * 1_000])),
    [`statements_per_${per}`]: each(before.statements, after.statements),
    [`transactions_per_${per}`]: each(before.transactions, after.transactions),
    [`redis_commands_per_${per}`]: each(before.redisCommands, after.redisCommands),
    wal_bytes_per_event: events === 0 ? null : (after.walBytes - before.walBytes) / events,
    sink_connections: after.sink.openConnections,
  };
}
