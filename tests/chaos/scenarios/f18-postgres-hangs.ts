import type { Scenario } from '../harness/scenario.ts';
import { accepted } from '../steps/flow.ts';
import { postgresHangs } from '../steps/postgres.ts';

const hangsFor = (seconds: number): Scenario => ({
  id: 'F18',
  title: `Postgres hangs (SIGSTOP) for ${seconds} s`,
  rows: ['F18'],
  expected: 'every wait is bounded: 503 within the second, no connection leaks, all goes on by itself',
  steps: [postgresHangs(seconds * 1_000), accepted(60)],
  refusals: [503],
  recoveryAtMostMs: 40_000,
});

export const f18: Scenario = { ...hangsFor(60), short: hangsFor(20) };
