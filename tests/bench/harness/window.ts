import type { Readings } from './counters.ts';
import type { LoadCounts } from './load-protocol.ts';
import type { LoopDelay } from './loop-delay.ts';
import type { SinkCounts } from './sink-protocol.ts';
import { callsOf } from './statement-stats.ts';

/** Everything that is counted, at one moment. CPU times are by process of the system. */
export interface Snapshot extends Readings {
  readonly atMs: number;
  readonly cpuMs: Readonly<Record<string, number>>;
  readonly sink: SinkCounts;
  readonly load: LoadCounts;
  /** By process, since the snapshot before. */
  readonly loopDelay: Readonly<Record<string, LoopDelay | null>>;
}

/** A figure by its name; null for one that cannot be known here. Names end in their unit. */
export type Figures = Readonly<Record<string, number | null>>;

/**
 * What happened between two snapshots. CPU is that of the system alone, load and sink left out; `per` says what it is divided by.
 */
export function figuresBetween(before: Snapshot, after: Snapshot, per: 'delivery' | 'event' = 'delivery'): Figures {
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
    [`cpu_us_per_${per}`]: total,
    ...Object.fromEntries(Object.entries(cpu).map(([name, ms]) => [`cpu_us_${name}`, ms === null ? null : ms * 1_000])),
    [`statements_per_${per}`]: each(statementsOf(before), statementsOf(after)),
    [`transactions_per_${per}`]: each(before.transactions, after.transactions),
    [`redis_commands_per_${per}`]: each(before.redisCommands, after.redisCommands),
    wal_bytes_per_event: events === 0 ? null : (after.walBytes - before.walBytes) / events,
    sink_connections: after.sink.openConnections,
    ...loopDelays(after),
  };
}

/** The ratio beside the CPU time of a delivery, where there is one. @param limitUs CPU time of one request of the limit, in microseconds */
export function withRatio(figures: Figures, limitUs: number): Figures {
  const { deliveries_per_s, cpu_us_per_delivery: cpuUs, ...rest } = figures;
  if (cpuUs === undefined) return figures;
  return {
    deliveries_per_s: deliveries_per_s ?? null,
    ratio: cpuUs === null ? null : cpuUs / limitUs,
    cpu_us_per_delivery: cpuUs,
    ...rest,
  };
}

function statementsOf({ statements }: Snapshot): number | null {
  return statements === null ? null : callsOf(statements);
}

function loopDelays({ loopDelay }: Snapshot): Figures {
  const figures: Record<string, number | null> = {};
  for (const [role, delay] of Object.entries(loopDelay)) {
    figures[`loop_p99_ms_${role}`] = delay?.p99Ms ?? null;
    figures[`loop_max_ms_${role}`] = delay?.maxMs ?? null;
  }
  return figures;
}
