import type { Scenario } from '../harness/scenario.ts';
import { accepted } from '../steps/flow.ts';
import { freeze } from '../steps/processes.ts';

export const frozenWorker: Scenario = {
  id: 'frozen',
  title: 'a worker hangs (SIGSTOP) for 12 s, longer than its leases, and comes back believing that it owns its lanes',
  rows: [],
  expected: 'its epoch is void: what it writes then changes nothing; repeats at most what it had in flight',
  steps: [freeze('worker', 0, 12_000), accepted(60), freeze('worker', 1, 12_000), accepted(60)],
};
