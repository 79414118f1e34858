import { ok } from '../harness/behaviour.ts';
import { verdict } from '../harness/judge.ts';
import type { Scenario } from '../harness/scenario.ts';
import { behave, post, received } from '../steps/flow.ts';
import { kill, start } from '../steps/processes.ts';

export const f01: Scenario = {
  id: 'F01',
  title: 'kill -9 of the worker while the receiver holds the request',
  rows: ['F01'],
  expected: 'sent again after the lease under the same webhook-id, newly signed: exactly one extra request',
  stage: { workers: 1 },
  endpoints: [{ name: 'holds', behaviour: { kind: 'hold' } }],
  load: null,
  steps: [post(1), received(({ inFlight }) => inFlight === 1), kill('worker'), behave(ok), start('worker', 0)],
  check: async ({ tally: { requests } }) => [
    verdict(
      'exactly one extra request',
      requests === 2 ? [] : [`${requests} requests for one event`],
      '2 requests for one event',
    ),
  ],
};
