import { answer } from '../harness/behaviour.ts';
import type { Scenario } from '../harness/scenario.ts';
import { accepted, received } from '../steps/flow.ts';
import { restart } from '../steps/processes.ts';

const slow = answer(204, { afterMs: 800 });

export const f43: Scenario = {
  id: 'F43',
  title: 'SIGTERM of workers with many requests in flight',
  rows: ['F43'],
  expected: 'exit code 0, what was in flight is finished or handed back: nothing lost, nothing twice',
  endpoints: Array.from({ length: 8 }, (_, i) => ({
    name: `slow ${i}`,
    behaviour: slow,
    settings: { max_in_flight: 32 },
  })),
  load: { perSecond: 40 },
  steps: [
    received(({ inFlight }) => inFlight > 100),
    restart('worker', 0),
    accepted(40),
    received(({ inFlight }) => inFlight > 100),
    restart('worker', 1),
    accepted(40),
  ],
};
