import type { Scenario } from '../harness/scenario.ts';
import { accepted } from '../steps/flow.ts';
import { redisAway } from '../steps/redis.ts';

export const f10: Scenario = {
  id: 'F10',
  title: 'Redis restarted without persistence',
  rows: ['F10'],
  expected: 'as after FLUSHALL: nothing lost, nothing twice',
  backend: 'redis',
  stage: { redis: ['--appendonly', 'no'] },
  steps: [redisAway(1_000), accepted(60), redisAway(1_000), accepted(60)],
};
