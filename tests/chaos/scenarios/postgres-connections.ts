import type { Scenario } from '../harness/scenario.ts';
import { accepted } from '../steps/flow.ts';
import { cut, network } from '../steps/network.ts';

export const postgresConnections: Scenario = {
  id: 'connections',
  title: 'every connection to Postgres cut, again and again; then half-open, a black hole and refused for 4 s each',
  rows: [],
  expected:
    'an answer of Postgres that was lost makes no duplicate event and no false 202; what is in flight may be repeated',
  stage: { proxied: ['postgres'], workers: 1 },
  steps: [
    cut('postgres'),
    accepted(20),
    cut('postgres'),
    accepted(20),
    cut('postgres'),
    accepted(20),
    network('postgres', { kind: 'half-open' }, 4_000),
    accepted(20),
    network('postgres', { kind: 'blackhole' }, 4_000),
    accepted(20),
    network('postgres', { kind: 'refuse' }, 4_000),
    accepted(20),
  ],
  refusals: [503],
  recoveryAtMostMs: 60_000,
};
