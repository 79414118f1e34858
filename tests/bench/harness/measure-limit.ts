import type { LimitCommand, LimitMessage } from './limit-protocol.ts';
import { Sink } from './sink.ts';
import { Talk } from './talk.ts';

/** What one process of this machine can send at all. */
export interface Limit {
  readonly dispatchPerSecond: number;
  readonly dispatchCpuUs: number;
  readonly requestPerSecond: number;
  readonly requestCpuUs: number;
}

const PLAN = { tenants: 1, groups: 1_000, fanOut: 1 };

/** @param connections as many as a worker has in use under load @throws Error when the sink did not have every request once */
export async function measureLimit(connections: number, warmUpMs: number, measureMs: number): Promise<Limit> {
  const dispatch = await measureOne('dispatch', connections, warmUpMs, measureMs);
  const request = await measureOne('request', connections, warmUpMs, measureMs);
  return {
    dispatchPerSecond: dispatch.requestsPerSecond,
    dispatchCpuUs: dispatch.cpuUsPerRequest,
    requestPerSecond: request.requestsPerSecond,
    requestCpuUs: request.cpuUsPerRequest,
  };
}

async function measureOne(how: 'dispatch' | 'request', connections: number, warmUpMs: number, measureMs: number) {
  const plan = { run: `limit${how}`, ...PLAN };
  const sink = await Sink.open({ plan, ports: 1, tls: false });
  const talk = new Talk<LimitCommand, LimitMessage>('./limit-main.ts');
  try {
    const done = await talk.ask(
      { kind: 'run', how, plan, port: sink.ports[0]!, connections, warmUpMs, measureMs },
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
