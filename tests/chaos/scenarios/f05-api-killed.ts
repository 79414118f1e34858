import { between } from '../harness/random.ts';
import type { Scenario } from '../harness/scenario.ts';
import { accepted, step } from '../steps/flow.ts';
import { kill } from '../steps/processes.ts';

const aWhile = step('', (play) => play.pause(between(play.random, 0, 400)));

export const f05: Scenario = {
  id: 'F05',
  title: 'kill -9 of api processes at random moments under load: in a transaction, after the commit, before the answer',
  rows: ['F05', 'F06', 'F07', 'F08'],
  expected: 'what was acknowledged is stored once; the same key gives the same id; nothing is sent twice',
  stage: { apis: 2 },
  load: { perSecond: 150, slots: 12 },
  steps: [aWhile, kill('api', 0, 200), aWhile, kill('api', 1, 200), aWhile, kill('api', 0, 200), accepted(60)],
  // A key whose first transaction is still open in Postgres after the kill cannot be answered yet.
  refusals: [503],
  ci: true,
};
