import type { Scenario } from '../harness/scenario.ts';
import { clockAt } from '../steps/clocks.ts';
import { accepted } from '../steps/flow.ts';
import { restart } from '../steps/processes.ts';
import { withRetries } from './wrong-clocks.ts';

export const f38: Scenario = {
  id: 'F38',
  title: 'ten minutes between the clocks of two workers, which hand their lanes over',
  rows: ['F38'],
  expected: 'as with a clock that jumps: nothing is early, late or twice',
  needs: ['faketime'],
  ci: true,
  ...withRetries,
  steps: [
    clockAt('worker', 1, '+10m'),
    accepted(120),
    restart('worker', 0),
    accepted(60),
    restart('worker', 1),
    accepted(60),
  ],
};
