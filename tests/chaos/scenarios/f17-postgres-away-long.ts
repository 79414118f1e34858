import type { Scenario } from '../harness/scenario.ts';
import { accepted } from '../steps/flow.ts';
import { postgresAway } from '../steps/postgres.ts';

export const f17: Scenario = {
  id: 'F17',
  title: 'Postgres killed and away for 12 s, longer than a lease, with two workers',
  rows: ['F17', 'F57'],
  expected:
    '503 at once meanwhile; outcomes that could not be written in time are interrupted, no more than were in flight',
  steps: [postgresAway(12_000), accepted(60)],
  refusals: [503],
  recoveryAtMostMs: 40_000,
};
