import type { Scenario } from '../harness/scenario.ts';
import { accepted } from '../steps/flow.ts';
import { redisHangs } from '../steps/redis.ts';

export const f15: Scenario = {
  id: 'F15',
  title: 'Redis hangs (SIGSTOP) for 30 s',
  rows: ['F15'],
  expected: 'no post is held up, deliveries go on by the sweeper, all resumes by itself',
  backend: 'redis',
  steps: [redisHangs(30_000), accepted(60)],
};
