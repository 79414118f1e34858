import type { Scenario } from '../harness/scenario.ts';
import { accepted } from '../steps/flow.ts';
import { postgresAway } from '../steps/postgres.ts';

export const f57: Scenario = {
  id: 'F57',
  title: 'kill -9 of Postgres under load, with fsync on, then start',
  rows: ['F17', 'F57'],
  expected: '503 at once meanwhile, every acknowledged event still there, nothing twice',
  stage: { workers: 1 },
  load: { perSecond: 80 },
  steps: [postgresAway(3_000), accepted(40)],
  refusals: [503],
  recoveryAtMostMs: 30_000,
};
