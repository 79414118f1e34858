import { answer } from '../harness/behaviour.ts';
import { verdict } from '../harness/judge.ts';
import type { Scenario } from '../harness/scenario.ts';
import { accepted, step } from '../steps/flow.ts';

export const f40: Scenario = {
  id: 'F40',
  title: 'a worker with 96 MB of heap and events of 200 KB to slow receivers',
  rows: ['F40'],
  expected: 'bytes in flight are bounded, so that it does not run out of memory',
  stage: { workers: 1, env: { NODE_OPTIONS: '--max-old-space-size=96', MAX_BYTES_IN_FLIGHT: '16777216' } },
  endpoints: Array.from({ length: 8 }, (_, i) => ({ name: `slow ${i}`, behaviour: answer(204, { afterMs: 500 }) })),
  load: { perSecond: 12, padding: 200_000 },
  warmUp: 10,
  steps: [
    accepted(100),
    step('', async (play) => {
      const isAlive = play.workers.living.length === 1 && play.apis.living.length === 1;
      play.found.push(verdict('no process ran out of memory', isAlive ? [] : ['one ended by itself'], 'all are alive'));
    }),
  ],
  recoveryAtMostMs: 60_000,
};
