import { ok } from '../harness/behaviour.ts';
import type { Scenario } from '../harness/scenario.ts';
import { accepted } from '../steps/flow.ts';
import { cut, network } from '../steps/network.ts';

export const f31: Scenario = {
  id: 'F31',
  title: 'the network to a receiver: refused, cut, black hole, half-open',
  rows: ['F31'],
  expected: 'retried until it answers; what it answered into a half-open connection comes again under the same id',
  endpoints: [
    { name: 'behind the faults', viaProxy: true, settings: { timeout_seconds: 1 }, behaviour: ok },
    { name: 'elsewhere', tenant: 'globex' },
  ],
  steps: [
    network('receiver', { kind: 'refuse' }, 2_000),
    accepted(20),
    cut('receiver'),
    accepted(20),
    network('receiver', { kind: 'blackhole' }, 3_000),
    accepted(20),
    network('receiver', { kind: 'half-open' }, 3_000),
    accepted(20),
  ],
  // Answers that the half-open connection swallowed: 16 at once, each for the second of its timeout; and what a cut took.
  repeatsAtMost: 16 * 5,
  // Its breaker has opened meanwhile, and looks again after 30 s.
  recoveryAtMostMs: 90_000,
};
