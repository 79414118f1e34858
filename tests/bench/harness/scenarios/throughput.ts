import type { Scenario } from '../scenario.ts';
import { BATCHES, playSteady } from './steady.ts';

const MANY = { tenants: 100, groups: 1_000, fanOut: 1 };

export const throughputScenarios: readonly Scenario[] = [
  {
    name: 'batch100',
    title: 'events in batches of 100, one delivery each, over 1,000 endpoints of 100 tenants',
    stage: { plan: MANY },
    play: (stage, play) => playSteady(stage, BATCHES, play),
  },
  {
    name: 'single',
    title: 'one event a request, one delivery each, over 1,000 endpoints of 100 tenants',
    stage: { plan: MANY },
    play: (stage, play) => playSteady(stage, { ...BATCHES, batch: 1, postsAtOnce: 64 }, play),
  },
  {
    name: 'fanout10',
    title: 'events in batches of 100, ten deliveries each',
    stage: { plan: { tenants: 100, groups: 100, fanOut: 10 } },
    play: (stage, play) => playSteady(stage, { ...BATCHES, maxBacklog: 20_000 }, play),
  },
  {
    name: 'hot',
    title: 'events in batches of 100, all for one endpoint',
    stage: { plan: { tenants: 1, groups: 1, fanOut: 1 } },
    play: (stage, play) => playSteady(stage, BATCHES, play),
  },
];

export const sustainScenario: Scenario = {
  name: 'sustain',
  title: 'batch100 for minutes on end',
  stage: { plan: MANY },
  play: (stage, play) => playSteady(stage, BATCHES, play, play.sustainMs),
};
