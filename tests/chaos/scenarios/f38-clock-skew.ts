import { answer, some } from '../harness/behaviour.ts';
import type { Scenario } from '../harness/scenario.ts';
import { clockAt } from '../steps/clocks.ts';
import { accepted } from '../steps/flow.ts';
import { restart } from '../steps/processes.ts';

const behaviour = some(0.2, answer(503));

export const f38: Scenario = {
  id: 'F38',
  title: 'ten minutes between the clocks of two workers, which hand their lanes over',
  rows: ['F38'],
  expected: 'as with a clock that jumps: nothing is early, late or twice',
  needs: ['faketime'],
  ci: true,
  endpoints: [
    { name: 'first', behaviour },
    { name: 'second', tenant: 'globex', behaviour },
  ],
  steps: [
    clockAt('worker', 1, '+10m'),
    accepted(120),
    restart('worker', 0),
    accepted(60),
    restart('worker', 1),
    accepted(60),
  ],
};
