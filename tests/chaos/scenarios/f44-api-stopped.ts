import { verdict } from '../harness/judge.ts';
import type { Outcome, Scenario } from '../harness/scenario.ts';
import { accepted } from '../steps/flow.ts';
import { restart } from '../steps/processes.ts';

export const f44: Scenario = {
  id: 'F44',
  title: 'SIGTERM of api processes under load',
  rows: ['F44'],
  expected:
    'requests under way are answered, exit code 0; a producer that got no answer sends again under the same key',
  stage: { apis: 2 },
  load: { perSecond: 150, slots: 12 },
  steps: [restart('api', 0), accepted(60), restart('api', 1), accepted(60)],
  check: async ({ play: { history } }: Outcome) => [
    verdict(
      'no request was reset',
      history.unanswered === 0 ? [] : [`${history.unanswered} got no answer`],
      'every post was answered',
    ),
  ],
};
