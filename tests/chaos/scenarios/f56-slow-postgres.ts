import { answer } from '../harness/behaviour.ts';
import { verdict } from '../harness/judge.ts';
import { readLedger } from '../harness/read-ledger.ts';
import type { Outcome, Scenario } from '../harness/scenario.ts';
import { accepted, step } from '../steps/flow.ts';
import { proxyOf } from '../steps/network.ts';

const SLOW_MS = 15_000;
/** A part of the fault in which nothing may stand still. */
const PART_MS = 5_000;
let slowFromMs = 0;

async function check({ play }: Outcome) {
  const received = [0, 0, 0];
  for await (const record of readLedger(play.ledgerPath)) {
    const part = Math.floor((record.atMs - slowFromMs) / PART_MS);
    if (record.kind === 'request' && received[part] !== undefined) received[part]++;
  }
  const idle = received.flatMap((count, part) => (count > 0 ? [] : [`nothing was received in part ${part + 1} of 3`]));
  return [verdict('deliveries go on meanwhile', idle, `${received.join(', ')} requests in each ${PART_MS / 1000} s`)];
}

export const f56: Scenario = {
  id: 'F56',
  title: 'Postgres 200 ms away for 15 s, and a receiver that takes its time',
  rows: ['F56'],
  expected: 'slower, and no errors: no refusal, no timeout of a pool, nothing twice, and deliveries go on',
  stage: { proxied: ['postgres'] },
  // A queue in memory, so that rows are looked for again before they are sent.
  endpoints: [{ name: 'slow', behaviour: answer(204, { afterMs: 150 }), settings: { max_in_flight: 2 } }],
  load: { perSecond: 8 },
  steps: [
    step(`network to postgres: 200 ms more for ${SLOW_MS / 1000} s`, async (play) => {
      slowFromMs = Date.now();
      await proxyOf(play, 'postgres').setMode({ kind: 'latency', rttMs: 200 });
      await play.pause(SLOW_MS);
      await proxyOf(play, 'postgres').setMode({ kind: 'pass' });
      play.markHealed();
    }),
    accepted(40),
  ],
  recoveryAtMostMs: 60_000,
  check,
};
