import type { Scenario } from '../scenario.ts';
import { figuresBetween } from '../window.ts';
import { BATCHES } from './steady.ts';

/** A host is a port of its own: for connections, TLS sessions and the bounds of the sender that is the same. */
const STAGE = { plan: { tenants: 100, groups: 1_000, fanOut: 1 }, tls: true };

export const tlsScenarios: readonly Scenario[] = [
  {
    name: 'tls',
    title: 'batch100 over TLS to 1,000 hosts, connections kept',
    stage: STAGE,
    play: async (stage, play) => {
      stage.load.closed(BATCHES);
      const [before, after] = await stage.window(play.warmUpMs, play.measureMs);
      return { ...figuresBetween(before, after), ...handshakes(before.sink, after.sink) };
    },
  },
  {
    name: 'tlsidle',
    title: '150 events/s over TLS to 1,000 hosts: each has one in seven seconds, on a new connection',
    stage: STAGE,
    play: async (stage, play) => {
      stage.load.open(150);
      const [before, after] = await stage.window(play.warmUpMs, play.measureMs);
      return { ...figuresBetween(before, after), ...handshakes(before.sink, after.sink) };
    },
  },
];

type Handshakes = { readonly connections: number; readonly resumedSessions: number; readonly delivered: number };

function handshakes(before: Handshakes, after: Handshakes) {
  const connections = after.connections - before.connections;
  return {
    connections_per_delivery: connections / (after.delivered - before.delivered),
    resumed_share: connections === 0 ? null : (after.resumedSessions - before.resumedSessions) / connections,
  };
}
