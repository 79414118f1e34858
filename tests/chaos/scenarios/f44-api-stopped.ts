import { verdict } from '../harness/judge.ts';
import type { Outcome, Scenario } from '../harness/scenario.ts';
import { accepted } from '../steps/flow.ts';
import { restart } from '../steps/processes.ts';

export const f44: Scenario = {
  id: 'F44',
  title: 'SIGTERM of api processes under load',
  rows: ['F44'],
  expected:
    'every request that was sent is answered, exit code 0: connections that are kept alive are closed after an answer says so',
  stage: { apis: 2 },
  load: { perSecond: 150, slots: 12 },
  steps: [restart('api', 0), accepted(60), restart('api', 1), accepted(60)],
  // A process that has just started on a busy machine may not have its first connection in time.
  refusals: [503],
  check: async ({ play: { history } }: Outcome) => {
    const text = `${history.lostAnswers} answers lost, ${history.unanswered} posts without an answer in all`;
    return [
      verdict('what was stored was answered', history.lostAnswers === 0 ? [] : [text], text),
      verdict('no connection was closed under a client', history.unanswered === 0 ? [] : [text], text),
    ];
  },
};
