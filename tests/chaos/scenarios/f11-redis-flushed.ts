import { answer, some } from '../harness/behaviour.ts';
import type { Scenario } from '../harness/scenario.ts';
import { accepted } from '../steps/flow.ts';
import { flushAll } from '../steps/redis.ts';

const failsSometimes = some(0.1, answer(503), answer(204, { afterMs: 20 }));

export const f11: Scenario = {
  id: 'F11',
  title: 'FLUSHALL under load, with deliveries waiting, under way and to be retried',
  rows: ['F11'],
  expected: 'nothing lost, nothing twice, producers notice nothing',
  backend: 'redis',
  endpoints: [
    { name: 'first of acme', behaviour: failsSometimes },
    { name: 'second of acme', behaviour: failsSometimes },
    { name: 'first of globex', tenant: 'globex', behaviour: failsSometimes },
    { name: 'second of globex', tenant: 'globex', behaviour: failsSometimes },
  ],
  load: { perSecond: 80 },
  steps: [flushAll(), accepted(40), flushAll(), accepted(40), flushAll(), accepted(40)],
  ci: true,
};
