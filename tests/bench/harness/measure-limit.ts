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
}

export interface Measured {
  readonly requestsPerSecond: number;
  readonly cpuUsPerRequest: number;
}

const PLAN = { tenants: 1, groups: 1_000, fanOut: 1 };

/** Connections of the loop. More make undici's pool slower (it looks for a free one in a list), which would flatter the ratio. */
const CONNECTIONS = 64;

/** @throws Error when the sink did not have every request exactly once */
export async function measureLimit(
  how: 'dispatch' | 'request',
  warmUpMs: number,
  measureMs: number,
): Promise<Measured> {
  const plan = { run: `limit${how}`, ...PLAN };
  const sink = await Sink.open({ plan, ports: 1, tls: false });
  const talk = new Talk<LimitCommand, LimitMessage>('./limit-main.ts');
  try {
    const done = await talk.ask(
      { kind: 'run', how, plan, port: sink.ports[0]!, connections: CONNECTIONS, warmUpMs, measureMs },
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
export function limitOf(dispatches: readonly Measured[], request: Measured): Limit {
  return {
    dispatchPerSecond: median(dispatches.map(({ requestsPerSecond }) => requestsPerSecond)),
    dispatchCpuUs: median(dispatches.map(({ cpuUsPerRequest }) => cpuUsPerRequest)),
    dispatchCpuUsSamples: dispatches.map(({ cpuUsPerRequest }) => cpuUsPerRequest),
    requestPerSecond: request.requestsPerSecond,
    requestCpuUs: request.cpuUsPerRequest,
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}
