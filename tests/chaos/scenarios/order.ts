import { answer, some } from '../harness/behaviour.ts';
import type { Scenario } from '../harness/scenario.ts';
import { wait } from '../steps/flow.ts';
import { kill } from '../steps/processes.ts';

export const order: Scenario = {
  id: 'order',
  title: '10,000 events over 100 subjects to an endpoint with order: subject, which fails at random, and two kills',
  rows: [],
  expected: 'no inversion: within a subject the first 2xx come in the order of acceptance',
  endpoints: [
    {
      name: 'ordered',
      settings: { order: 'subject', max_in_flight: 128 },
      behaviour: some(0.03, answer(503), some(0.02, { kind: 'reset' }, answer(204, { afterMs: 5 }))),
    },
  ],
  load: { perSecond: 400, events: 10_000, slots: 25, subjects: 100 },
  steps: [wait(5_000), kill('worker', 0, 500), wait(8_000), kill('worker', 1, 500), wait(4_000)],
  recoveryAtMostMs: 120_000,
};
