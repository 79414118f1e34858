import { type OUTCOME_CODES, outcomeName } from '../../../src/store/codes.ts';
import type { Misbehaviour } from '../harness/behaviour.ts';
import { ok } from '../harness/behaviour.ts';
import { verdict } from '../harness/judge.ts';
import { lagsOf, quantile } from '../harness/lags.ts';
import type { EndpointSpec, Outcome, Scenario } from '../harness/scenario.ts';
import { accepted, wait } from '../steps/flow.ts';

/** What an attempt comes to with each of them. A 2xx whose body drips or never ends is a success: its head has said so. */
const OUTCOMES: Readonly<Record<Misbehaviour, keyof typeof OUTCOME_CODES>> = {
  'drip-headers': 'timeout',
  'drip-body': 'delivered',
  'endless-body': 'delivered',
  'huge-headers': 'protocol',
  'many-headers': 'protocol',
  'bad-chunking': 'protocol',
  'two-lengths': 'protocol',
  'informational-flood': 'protocol',
  'gzip-bomb': 'delivered',
};
const ways = Object.keys(OUTCOMES) as Misbehaviour[];
const patient = { timeout_seconds: 2, max_in_flight: 4 };
/** Behind the one that is healthy. */
const misbehaving: EndpointSpec[] = ways.map((how) => ({
  name: how,
  tenant: 'globex',
  settings: patient,
  behaviour: { kind: 'misbehave', how },
  healed: ok,
}));
const HEALTHY_MS = 1_000;

async function check({ play }: Outcome) {
  const rows: { id: string; outcome: number }[] = await play.query(
    'SELECT DISTINCT e.id, a.outcome FROM attempts a JOIN endpoints e ON e.num = a.endpoint_num',
  );
  const faults = ways.flatMap((how, i) => {
    const { id } = play.endpoints[i + 1]!;
    const seen = rows.filter((row) => row.id === id).map((row) => outcomeName(row.outcome));
    // Once healed they deliver.
    return seen.includes(OUTCOMES[how]) ? [] : [`${how}: ${seen.join(', ')}, expected ${OUTCOMES[how]}`];
  });
  const p99 = quantile(await lagsOf(play, ({ endpoint }) => endpoint === 0), 0.99);
  return [
    verdict('each misbehaviour is recognised', faults, `${ways.length} of them`),
    verdict(
      'the healthy endpoint does not notice',
      p99 < HEALTHY_MS ? [] : [`p99 ${p99} ms`],
      `p99 ${p99} ms from post to receipt`,
    ),
  ];
}

export const f25: Scenario = {
  id: 'F25',
  title: 'receivers that drip, flood, never answer, reset, bomb and break the rules of HTTP',
  rows: ['F24', 'F25', 'F26', 'F27', 'F28', 'F29'],
  expected: 'a failed attempt of its class each, slots freed, memory flat, the healthy endpoint unaffected',
  endpoints: [
    { name: 'healthy' },
    ...misbehaving,
    { name: 'never answers', tenant: 'globex', settings: patient, behaviour: { kind: 'hold' }, healed: ok },
    { name: 'resets', tenant: 'globex', settings: patient, behaviour: { kind: 'reset' }, healed: ok },
  ],
  load: { perSecond: 20 },
  steps: [wait(8_000), accepted(20)],
  // Their breakers have opened meanwhile, and look again after 30 s, or a minute.
  recoveryAtMostMs: 120_000,
  check,
};
