import type { Scenario } from '../harness/scenario.ts';
import { accepted, step, wait } from '../steps/flow.ts';
import { alarm, redisOf } from '../steps/redis.ts';

export const f12: Scenario = {
  id: 'F12',
  title: 'Redis at maxmemory, refusing every write, for 8 s',
  rows: ['F12'],
  expected:
    'every post is answered 202, the alarm sounds, the sweeper finds what nobody could ring for, recovery by itself',
  backend: 'redis',
  steps: [
    step(
      'maxmemory 1 MB, which is used up',
      async (play) => void (await redisOf(play).command('CONFIG SET maxmemory 1mb')),
    ),
    accepted(100),
    alarm('sounds', 1),
    wait(6_000),
    accepted(60),
    step('maxmemory raised', async (play) => {
      await redisOf(play).command('CONFIG SET maxmemory 256mb');
      play.markHealed();
    }),
    accepted(60),
    alarm('ends', 0),
  ],
  ci: true,
};
