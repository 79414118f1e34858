import { answer } from '../harness/behaviour.ts';
import { verdict } from '../harness/judge.ts';
import { readLedger } from '../harness/read-ledger.ts';
import type { Outcome, Scenario } from '../harness/scenario.ts';
import { accepted, step } from '../steps/flow.ts';
import { proxyOf } from '../steps/network.ts';

/** Parts of the fault, in none of which anything may stand still. */
const PARTS = 3;
let slowFromMs = 0;

const check =
  (slowMs: number) =>
  async ({ play }: Outcome) => {
    const partMs = slowMs / PARTS;
    const received = Array<number>(PARTS).fill(0);
    for await (const record of readLedger(play.ledgerPath)) {
      const part = Math.floor((record.atMs - slowFromMs) / partMs);
      if (record.kind === 'request' && received[part] !== undefined) received[part]++;
    }
    const idle = received.flatMap((count, part) =>
      count > 0 ? [] : [`nothing was received in part ${part + 1} of 3`],
    );
    return [verdict('deliveries go on meanwhile', idle, `${received.join(', ')} requests in each ${partMs / 1000} s`)];
  };

const slowFor = (slowMs: number): Scenario => ({
  id: 'F56',
  title: `Postgres 200 ms away for ${slowMs / 1000} s, and a receiver that takes its time`,
  rows: ['F56'],
  expected: 'slower, and no errors: no refusal, no timeout of a pool, nothing twice, and deliveries go on',
  stage: { proxied: ['postgres'] },
  // A queue in memory, so that rows are looked for again before they are sent.
  endpoints: [{ name: 'slow', behaviour: answer(204, { afterMs: 150 }), settings: { max_in_flight: 2 } }],
  load: { perSecond: 8 },
  steps: [
    step(`network to postgres: 200 ms more for ${slowMs / 1000} s`, async (play) => {
      slowFromMs = Date.now();
      await proxyOf(play, 'postgres').setMode({ kind: 'latency', rttMs: 200 });
      await play.pause(slowMs);
      await proxyOf(play, 'postgres').setMode({ kind: 'pass' });
      play.markHealed();
    }),
    accepted(40),
  ],
  recoveryAtMostMs: 60_000,
  check: check(slowMs),
});

export const f56: Scenario = { ...slowFor(15_000), short: { ...slowFor(6_000), warmUp: 20, ci: true } };
