import { answer, some } from '../harness/behaviour.ts';
import type { Scenario, Step } from '../harness/scenario.ts';
import { wait } from '../steps/flow.ts';
import { killOwner } from '../steps/processes.ts';

const inOrder = (events: number, steps: readonly Step[]): Scenario => ({
  id: 'order',
  title: `${events.toLocaleString('en')} events over 100 subjects to an endpoint with order: subject, which fails at random, and kills of workers`,
  rows: [],
  expected:
    'no inversion: within a subject the first 2xx come in the order of acceptance, though another worker takes the lane over',
  endpoints: [
    {
      name: 'ordered',
      settings: { order: 'subject', max_in_flight: 128 },
      behaviour: some(0.03, answer(503), some(0.02, { kind: 'reset' }, answer(204, { afterMs: 5 }))),
    },
  ],
  load: { perSecond: 400, events, slots: 25, subjects: 100 },
  steps,
  recoveryAtMostMs: 120_000,
});

const twoKills = [wait(5_000), killOwner(500), wait(8_000), killOwner(500), wait(4_000)];

export const order: Scenario = {
  ...inOrder(10_000, twoKills),
  short: { ...inOrder(1_500, [wait(1_000), killOwner(500)]), ci: true },
};
