import { answer } from '../harness/behaviour.ts';
import { verdict } from '../harness/judge.ts';
import { readLedger } from '../harness/read-ledger.ts';
import type { Outcome, Scenario } from '../harness/scenario.ts';
import { post, step, wait } from '../steps/flow.ts';
import { proxyOf } from '../steps/network.ts';

const CAP = 16;
let healedAtMs = 0;

/** After a success there may be one more at once than before, or twice as many: never more at once than successes so far, and the probe. */
async function check({ play }: Outcome) {
  const open = new Set<number>();
  let successes = 0;
  let most = 0;
  let steep = 0;
  for await (const record of readLedger(play.ledgerPath)) {
    if (record.atMs < healedAtMs) continue;
    if (record.kind === 'request') {
      open.add(record.request);
      most = Math.max(most, open.size);
      if (open.size > Math.min(CAP, successes + 1)) steep++;
    } else if (open.delete(record.request) && record.status === 204) successes++;
  }
  return [
    verdict('never more at once than the cap', most <= CAP ? [] : [`${most} at once`], `${most} at once, cap ${CAP}`),
    verdict(
      'one probe, then a ramp',
      steep === 0 ? [] : [`${steep} requests came before enough had succeeded`],
      `${successes} succeeded`,
    ),
  ];
}

const comesBackTo = (due: number, afterMs: number): Scenario => ({
  id: 'F48',
  title: `an endpoint comes back with ${due.toLocaleString('en')} deliveries due`,
  rows: ['F48'],
  expected: 'one probe, then more and more at once up to its cap: no wave',
  endpoints: [
    {
      name: 'away',
      viaProxy: true,
      behaviour: answer(204, { afterMs }),
      settings: { max_in_flight: CAP, retry_schedule: [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 5, 5, 5, 5, 5, 30, 30, 60] },
    },
  ],
  load: null,
  steps: [
    step('network to receiver: refuse', (play) => proxyOf(play, 'receiver').setMode({ kind: 'refuse' })),
    post(due, 10_000, 100),
    wait(6_000),
    step('network to receiver: pass', async (play) => {
      healedAtMs = Date.now();
      await proxyOf(play, 'receiver').setMode({ kind: 'pass' });
      play.markHealed();
    }),
  ],
  // Their sending alone takes a minute or more, and the breaker may be about to wait for another.
  recoveryAtMostMs: 400_000,
  check,
});

export const f48: Scenario = { ...comesBackTo(50_000, 10), short: comesBackTo(2_000, 50) };
