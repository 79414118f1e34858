import { checkAnswers } from '../harness/check-answers.ts';
import type { Scenario } from '../harness/scenario.ts';
import { accepted } from '../steps/flow.ts';
import { restart, start } from '../steps/processes.ts';
import { watchApis } from '../steps/watch-apis.ts';

export const f45: Scenario = {
  id: 'F45',
  title: 'every process is replaced by a new one, one after the other, under load',
  rows: ['F45'],
  expected: 'nothing lost, nothing twice, no outage',
  stage: { apis: 2 },
  steps: [
    watchApis(),
    start('worker', 2),
    restart('worker', 0),
    restart('worker', 1),
    accepted(40),
    start('api', 2),
    restart('api', 0),
    restart('api', 1),
    accepted(40),
  ],
  check: async ({ play }) => checkAnswers(play),
  ci: true,
};
