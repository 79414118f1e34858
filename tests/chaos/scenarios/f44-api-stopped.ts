import { checkAnswers } from '../harness/check-answers.ts';
import type { Scenario } from '../harness/scenario.ts';
import { accepted } from '../steps/flow.ts';
import { restart } from '../steps/processes.ts';

export const f44: Scenario = {
  id: 'F44',
  title: 'SIGTERM of api processes under load',
  rows: ['F44'],
  expected:
    'every request that was accepted is answered, exit code 0; connections that are kept alive close after an answer that says so',
  stage: { apis: 2 },
  load: { perSecond: 150, slots: 12 },
  steps: [restart('api', 0), accepted(60), restart('api', 1), accepted(60)],
  // A process that has just started on a busy machine may not have its first connection in time.
  refusals: [503],
  check: async ({ play }) => checkAnswers(play),
};
