import { verdict } from '../harness/judge.ts';
import { isReady } from '../harness/readiness.ts';
import type { Scenario } from '../harness/scenario.ts';
import { accepted, step } from '../steps/flow.ts';
import { redisOf } from '../steps/redis.ts';

export const f13: Scenario = {
  id: 'F13',
  title: 'Redis with maxmemory-policy allkeys-lru at the start',
  rows: ['F13'],
  expected: 'every process calls itself unready and says why; nothing is lost; ready once it is mended',
  backend: 'redis',
  stage: { redis: ['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru'] },
  steps: [
    accepted(60),
    step('readiness is asked for', async (play) => {
      const living = [...play.apis.living, ...play.workers.living];
      const ready = await Promise.all(living.map(({ baseUrl }) => isReady(baseUrl)));
      const faults = living.filter((_, i) => ready[i]).map(({ pid }) => `process ${pid} calls itself ready`);
      play.found.push(
        verdict('every process is unready with a wrong eviction policy', faults, `${living.length} processes`),
      );
    }),
    step('policy noeviction', async (play) => {
      await redisOf(play).command('CONFIG SET maxmemory-policy noeviction');
      play.markHealed();
    }),
    accepted(60),
  ],
};
