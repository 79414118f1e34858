import { answer, ok } from '../harness/behaviour.ts';
import { verdict } from '../harness/judge.ts';
import type { Play } from '../harness/play.ts';
import { readLedger } from '../harness/read-ledger.ts';
import type { Outcome, Scenario } from '../harness/scenario.ts';
import { accepted, behave, wait } from '../steps/flow.ts';

const ASKED_MS = 5_000;
/** What was on its way already when the answer came, and the rounding of whole seconds. */
const GRACE_MS = 1_000;

/** What a wait is clamped to, spread downwards by a fifth, less what the run has taken since. */
const CLAMPED_S = { least: 0.8 * 86_400 - 600, most: 86_400 };

async function check({ play }: Outcome) {
  let throttledAt = Number.POSITIVE_INFINITY;
  let early = 0;
  const endpointOf = new Map<number, number>();
  const told = new Set<number>();
  for await (const record of readLedger(play.ledgerPath)) {
    if (record.kind === 'request') {
      endpointOf.set(record.request, record.endpoint);
      const sinceMs = record.atMs - throttledAt;
      if (record.endpoint === 0 && sinceMs > GRACE_MS && sinceMs < ASKED_MS - GRACE_MS) early++;
    } else if (record.status === 429 && endpointOf.get(record.request) === 0)
      throttledAt = Math.min(throttledAt, record.atMs);
    else if (record.status === 503) told.add(endpointOf.get(record.request)!);
  }
  const unsaid = wrong.filter((_, i) => !told.has(i + 1)).map((value) => `no answer said ${value}`);
  return [
    verdict(
      'Retry-After holds for the whole endpoint',
      [
        ...(Number.isFinite(throttledAt) ? [] : ['no answer was 429']),
        ...(early === 0 ? [] : [`${early} requests came within the time asked for`]),
      ],
      'no request came within the time asked for',
    ),
    verdict('every value that makes no sense was said', unsaid, wrong.join(', ')),
    await clamped(play),
  ];
}

/** The delivery that was told to wait for years. Others of its endpoint may stand behind it. */
async function clamped(play: Play) {
  const { id } = play.endpoints[wrong.indexOf(YEARS) + 1]!;
  const rows: { seconds: number }[] = await play.query(
    `SELECT extract(epoch FROM due_at - now())::int AS seconds
       FROM mailbox m JOIN endpoints p ON p.num = m.endpoint_num WHERE p.id = $1 AND m.attempt = 1`,
    [id],
  );
  const text = rows.map(({ seconds }) => `due in ${(seconds / 3_600).toFixed(1)} h`).join(', ');
  const isHeld = rows.length > 0 && rows.every(({ seconds: s }) => s >= CLAMPED_S.least && s <= CLAMPED_S.most);
  return verdict('a wait of years is clamped to a day', isHeld ? [] : [text || 'nothing waits'], text);
}

/** No run waits for what this is clamped to. */
const YEARS = '99999999';
const wrong = ['0', '-1', YEARS, '1.5', 'Wed, 21 Oct 2015 07:28:00 GMT', 'soon'];

export const f36: Scenario = {
  id: 'F36',
  title: '429 with Retry-After: 5, and with values that make no sense',
  rows: ['F36'],
  expected: 'the whole endpoint rests for 5 s; nonsense is clamped or passed over',
  endpoints: [
    { name: 'asks for 5 s', behaviour: answer(429, { headers: { 'retry-after': '5' } }), healed: ok },
    ...wrong.map((value) => ({
      name: `says ${value}`,
      tenant: 'globex',
      isLeft: value === YEARS,
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
