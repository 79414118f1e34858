import { eventually } from '../../support/eventually.ts';
import { verdict } from '../harness/judge.ts';
import type { Scenario } from '../harness/scenario.ts';
import { post, step } from '../steps/flow.ts';
import { proxyOf } from '../steps/network.ts';
import { kill, start } from '../steps/processes.ts';

export const f03: Scenario = {
  id: 'F03',
  title: 'kill -9 of the worker after it claimed deliveries and before their bytes reach a receiver',
  rows: ['F03'],
  expected: 'sent again after the lease, and the ledger has each of them once',
  stage: { workers: 1 },
  endpoints: [{ name: 'behind the proxy', viaProxy: true }],
  load: null,
  steps: [
    step('network to receiver: blackhole', (play) => proxyOf(play, 'receiver').setMode({ kind: 'blackhole' })),
    post(5),
    step('', async (play) => {
      await eventually(
        async () => proxyOf(play, 'receiver').connections,
        (open) => open === 5,
        30_000,
      );
    }),
    kill('worker'),
    step('network to receiver: pass', (play) => proxyOf(play, 'receiver').setMode({ kind: 'pass' })),
    start('worker', 0),
  ],
  check: async ({ tally: { requests } }) => [
    verdict('each is in the ledger once', requests === 5 ? [] : [`${requests} requests for five events`], '5 requests'),
  ],
};
