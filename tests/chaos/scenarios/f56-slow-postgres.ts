import type { Scenario } from '../harness/scenario.ts';
import { accepted } from '../steps/flow.ts';
import { network } from '../steps/network.ts';

export const f56: Scenario = {
  id: 'F56',
  title: 'Postgres 200 ms away for 15 s',
  rows: ['F56'],
  expected: 'slower, and no errors: no refusal, no timeout of a pool, nothing twice',
  stage: { proxied: ['postgres'] },
  load: { perSecond: 40 },
  steps: [network('postgres', { kind: 'latency', rttMs: 200 }, 15_000), accepted(40)],
  recoveryAtMostMs: 40_000,
};
