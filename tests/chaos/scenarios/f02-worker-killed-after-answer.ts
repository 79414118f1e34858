import { ok } from '../harness/behaviour.ts';
import { verdict } from '../harness/judge.ts';
import type { Scenario } from '../harness/scenario.ts';
import { behave, post, step, wait } from '../steps/flow.ts';
import { start } from '../steps/processes.ts';

export const f02: Scenario = {
  id: 'F02',
  title: 'kill -9 of the worker after the receiver answered 2xx, before that is written down',
  rows: ['F02'],
  expected: 'one duplicate, then delivered, never failed',
  stage: { workers: 1 },
  endpoints: [{ name: 'kills' }],
  load: null,
  steps: [
    step('the receiver kills the worker in the turn in which it answers', async (play) => {
      play.interruptions++;
      play.behave(0, { kind: 'answer-and-kill', status: 204, pid: play.workers.at(0)!.pid });
      await play.receiver.report();
    }),
    post(1),
    step('', async (play) => void (await play.workers.at(0)?.exited)),
    behave(ok),
    wait(500),
    start('worker', 0),
  ],
  check: async ({ tally: { duplicates } }) => [
    verdict('one duplicate', duplicates === 1 ? [] : [`${duplicates} duplicates`], 'the receiver answered it twice'),
  ],
  ci: true,
};
