import type { Scenario } from '../harness/scenario.ts';
import { accepted } from '../steps/flow.ts';
import { redisAway } from '../steps/redis.ts';

export const f09: Scenario = {
  id: 'F09',
  title: 'Redis killed and away for 5 s and for 20 s, with an append-only file',
  rows: ['F09'],
  expected: 'every post is answered 202 meanwhile, deliveries go on, nothing is restarted by hand',
  backend: 'redis',
  steps: [redisAway(5_000), accepted(60), redisAway(20_000), accepted(60)],
};
