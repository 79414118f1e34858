import type { FaultProxy, ProxyMode } from '../harness/fault-proxy.ts';
import type { Play } from '../harness/play.ts';
import type { Step } from '../harness/scenario.ts';
import { step } from './flow.ts';

export type Place = 'postgres' | 'redis' | 'receiver';

export function proxyOf(play: Play, place: Place): FaultProxy {
  const { postgresProxy, redisProxy } = play.servers;
  const proxy = { postgres: postgresProxy, redis: redisProxy, receiver: play.receiverProxy }[place];
  if (proxy === null) throw new Error(`${place} is not behind a proxy in this scenario`);
  return proxy;
}

/** What stands before a server or the receivers behaves like this for a while. */
export function network(place: Place, mode: ProxyMode, forMs: number): Step {
  const name = mode.kind === 'latency' ? `${mode.rttMs} ms more` : mode.kind;
  return step(`network to ${place}: ${name} for ${forMs / 1000} s`, async (play) => {
    const proxy = proxyOf(play, place);
    await proxy.setMode(mode);
    await play.pause(forMs);
    await proxy.setMode({ kind: 'pass' });
    play.markHealed();
  });
}

export function cut(place: Place): Step {
  return step(`network to ${place}: every connection cut`, async (play) => {
    proxyOf(play, place).cut();
    play.markHealed();
  });
}
