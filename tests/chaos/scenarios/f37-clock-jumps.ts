import type { Scenario } from '../harness/scenario.ts';
import { clockAt } from '../steps/clocks.ts';
import { accepted } from '../steps/flow.ts';
import { withRetries } from './wrong-clocks.ts';

export const f37: Scenario = {
  id: 'F37',
  title: 'clocks one hour ahead and behind, on workers and api',
  rows: ['F37'],
  expected: 'no storm and no delay: due times are Postgres’s; signatures carry the real time; leases are unaffected',
  needs: ['faketime'],
  ci: true,
  stage: { apis: 2 },
  ...withRetries,
  steps: [
    clockAt('worker', 0, '+1h'),
    clockAt('worker', 1, '-1h'),
    accepted(120),
    clockAt('api', 0, '+1h'),
    clockAt('api', 1, '-1h'),
    accepted(120),
  ],
};
