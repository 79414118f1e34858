import type { LimitCommand, LimitMessage } from './limit-protocol.ts';
import { Sink } from './sink.ts';
import { Talk } from './talk.ts';

/** What one process of this machine can send at all. */
export interface Limit {
  /** Medians of the measurements of a run. */
  readonly dispatchPerSecond: number;
  readonly dispatchCpuUs: number;
  /** Each of them, in the order of the run: what lies between them is the machine's noise. */
  readonly dispatchCpuUsSamples: readonly number[];
  readonly requestPerSecond: number;
  readonly requestCpuUs: number;
  /** Of `dispatch` over as many connections as the system opens under load. */
  readonly spreadPerSecond: number;
  readonly spreadCpuUs: number;
}

export interface Measured {
  readonly requestsPerSecond: number;
  readonly cpuUsPerRequest: number;
}

const PLAN = { tenants: 1, groups: 1_000, fanOut: 1 };

/**
 * `dispatch` is the limit, over connections so few that the processor's caches hold them; `request` makes a promise and a body stream for each.
 * `spread` is `dispatch` over a pool for each of a hundred tenants, as the system has them, and about as many connections as that opens.
 */
export type LimitKind = 'dispatch' | 'request' | 'spread';

/** `connections` are those of each pool. */
export const SPREAD = { pools: 100, connections: 8 } as const;

const CONNECTIONS = {
  dispatch: { pools: 1, connections: 64 },
  request: { pools: 1, connections: 64 },
  spread: SPREAD,
} as const;

/** @throws Error when the sink did not have every request exactly once */
export async function measureLimit(kind: LimitKind, warmUpMs: number, measureMs: number): Promise<Measured> {
  const plan = { run: `limit${kind}`, ...PLAN };
  const sink = await Sink.open({ plan, ports: 1, tls: false });
  const talk = new Talk<LimitCommand, LimitMessage>('./limit-main.ts');
  try {
    const how = kind === 'request' ? 'request' : 'dispatch';
    const done = await talk.ask(
      { kind: 'run', how, plan, port: sink.ports[0]!, ...CONNECTIONS[kind], warmUpMs, measureMs },
      'done',
    );
    const { delivered, requests } = await sink.counts();
    if (delivered !== requests) throw new Error(`the limit: ${requests} requests, ${delivered} of them counted`);
    return done;
  } finally {
    await talk.end();
    await sink.end();
  }
}

/** @param dispatches at least one */
export function limitOf(dispatches: readonly Measured[], request: Measured, spread: Measured): Limit {
  return {
    dispatchPerSecond: median(dispatches.map(({ requestsPerSecond }) => requestsPerSecond)),
    dispatchCpuUs: median(dispatches.map(({ cpuUsPerRequest }) => cpuUsPerRequest)),
    dispatchCpuUsSamples: dispatches.map(({ cpuUsPerRequest }) => cpuUsPerRequest),
    requestPerSecond: request.requestsPerSecond,
    requestCpuUs: request.cpuUsPerRequest,
    spreadPerSecond: spread.requestsPerSecond,
    spreadCpuUs: spread.cpuUsPerRequest,
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}
