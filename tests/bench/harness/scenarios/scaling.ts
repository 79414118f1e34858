import type { Plan } from '../plan.ts';
import type { Scenario } from '../scenario.ts';
import type { Role } from '../system.ts';
import { BATCHES, playSteady } from './steady.ts';

const NORMAL = { tenants: 100, groups: 1_000, fanOut: 1 };

/** `batch100` with one thing changed: how the cost of a delivery depends on it. */
const varied = (name: string, what: string, change: Partial<Omit<Plan, 'run'>>, roles?: readonly Role[]): Scenario => {
  const plan = { ...NORMAL, ...change };
  const twoPosts = 2 * BATCHES.batch * plan.fanOut;
  return {
    name,
    title: `batch100 with ${what}`,
    set: 'scaling',
    onlyByName: true,
    stage: { plan, ...(roles === undefined ? {} : { roles }) },
    play: (stage, play) => playSteady(stage, { ...BATCHES, maxBacklog: Math.max(BATCHES.maxBacklog, twoPosts) }, play),
  };
};

export const scalingScenarios: readonly Scenario[] = [
  varied('tenants1', 'one tenant', { tenants: 1 }),
  varied('tenants1000', 'a tenant for each of the 1,000 endpoints', { tenants: 1_000 }),
  varied('endpoints100', '100 endpoints', { groups: 100 }),
  varied('endpoints10k', '10,000 endpoints', { groups: 10_000 }),
  varied('fan3', 'three deliveries an event', { groups: 334, fanOut: 3 }),
  varied('fan30', 'thirty deliveries an event', { groups: 34, fanOut: 30 }),
  varied('fan100', 'a hundred deliveries an event', { groups: 10, fanOut: 100 }),
  varied('workers2', 'two workers', {}, ['api', 'worker', 'worker2']),
  varied('workers4', 'four workers', {}, ['api', 'worker', 'worker2', 'worker3', 'worker4']),
];
