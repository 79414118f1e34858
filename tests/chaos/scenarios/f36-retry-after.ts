import { answer, ok } from '../harness/behaviour.ts';
import { verdict } from '../harness/judge.ts';
import { readLedger } from '../harness/read-ledger.ts';
import type { Outcome, Scenario } from '../harness/scenario.ts';
import { accepted, behave, wait } from '../steps/flow.ts';

const ASKED_MS = 5_000;
/** What was on its way already when the answer came, and the rounding of whole seconds. */
const GRACE_MS = 1_000;

async function check({ play }: Outcome) {
  let throttledAt = Number.POSITIVE_INFINITY;
  let early = 0;
  const endpointOf = new Map<number, number>();
  for await (const record of readLedger(play.ledgerPath)) {
    if (record.kind === 'request') {
      endpointOf.set(record.request, record.endpoint);
      const sinceMs = record.atMs - throttledAt;
      if (record.endpoint === 0 && sinceMs > GRACE_MS && sinceMs < ASKED_MS - GRACE_MS) early++;
    } else if (record.status === 429 && endpointOf.get(record.request) === 0)
      throttledAt = Math.min(throttledAt, record.atMs);
  }
  return [
    verdict(
      'Retry-After holds for the whole endpoint',
      early === 0 ? [] : [`${early} requests came within the time asked for`],
      'no request came within the time asked for',
    ),
  ];
}

const wrong = ['0', '-1', '99999999', '1.5', 'Wed, 21 Oct 2015 07:28:00 GMT', 'soon'];

export const f36: Scenario = {
  id: 'F36',
  title: '429 with Retry-After: 5, and with values that make no sense',
  rows: ['F36'],
  expected: 'the whole endpoint rests for 5 s; nonsense is clamped or passed over',
  endpoints: [
    { name: 'asks for 5 s', behaviour: answer(429, { headers: { 'retry-after': '5' } }), healed: ok },
    ...wrong
      // 99999999 is clamped to a day, which no run waits for.
      .filter((value) => value !== '99999999')
      .map((value) => ({
        name: `says ${value}`,
        tenant: 'globex',
        behaviour: {
          kind: 'first',
          times: 1,
          of: 'endpoint',
          these: answer(503, { headers: { 'retry-after': value } }),
          rest: ok,
        } as const,
      })),
    { name: 'healthy', tenant: 'initech' },
  ],
  load: { perSecond: 40 },
  steps: [accepted(20), behave(ok, [0]), wait(ASKED_MS), accepted(40)],
  // Its breaker has opened meanwhile, and looks again after 30 s.
  recoveryAtMostMs: 90_000,
  check,
};
