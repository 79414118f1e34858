import { DECISION } from '../../../src/store/codes.ts';
import { answer, ok } from '../harness/behaviour.ts';
import { verdict } from '../harness/judge.ts';
import type { Outcome, Scenario } from '../harness/scenario.ts';
import { accepted, wait } from '../steps/flow.ts';

async function check({ play }: Outcome) {
  const rows: { id: string; enabled: boolean }[] = await play.query('SELECT id, enabled FROM endpoints');
  const [gone, disables, aborts] = play.endpoints.map(({ id }) => rows.find((row) => row.id === id)!);
  const retried = await play.query(
    'SELECT 1 FROM attempts a JOIN endpoints e ON e.num = a.endpoint_num WHERE e.id = $1 AND a.decision = $2',
    [aborts!.id, DECISION.retry],
  );
  return [
    verdict('410 disables the endpoint', gone!.enabled ? ['it is enabled'] : [], 'disabled'),
    verdict('webhook-delivery: disable disables the endpoint', disables!.enabled ? ['it is enabled'] : [], 'disabled'),
    verdict(
      'abort-message gives up that delivery alone',
      aborts!.enabled && retried.length === 0 ? [] : [`${retried.length} went on`],
      'dead-lettered at once, enabled',
    ),
  ];
}

export const f35: Scenario = {
  id: 'F35',
  title: 'receivers answer 410, webhook-delivery: disable and abort-message',
  rows: ['F35'],
  expected: 'the endpoint is disabled and its backlog waits, or the delivery is given up; others do not notice',
  endpoints: [
    { name: 'gone', behaviour: answer(410), isLeft: true, isMissed: true },
    {
      name: 'disables',
      behaviour: answer(500, { headers: { 'webhook-delivery': 'disable' } }),
      isLeft: true,
      isMissed: true,
    },
    { name: 'aborts', behaviour: answer(500, { headers: { 'webhook-delivery': 'abort-message' } }), healed: ok },
    { name: 'healthy', tenant: 'globex' },
  ],
  steps: [accepted(60), wait(1_000)],
  // The breaker of the one that gives up has opened meanwhile, and looks again after 30 s.
  recoveryAtMostMs: 90_000,
  check,
};
