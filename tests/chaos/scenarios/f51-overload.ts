import { verdict } from '../harness/judge.ts';
import type { Outcome, Scenario } from '../harness/scenario.ts';
import { wait } from '../steps/flow.ts';

export const f51: Scenario = {
  id: 'F51',
  title: 'more posts than can be stored, into a small buffer, for 6 s',
  rows: ['F51'],
  expected: '429 or 503 with Retry-After before anything collapses; what was accepted is delivered',
  stage: { env: { INGEST_BUFFER_EVENTS: '200' } },
  load: { perSecond: 1e6, slots: 48, batch: 50 },
  steps: [wait(6_000)],
  refusals: [429, 503],
  recoveryAtMostMs: 120_000,
  check: async ({ play: { history } }: Outcome) => {
    const refused = (history.refusals.byStatus.get(503) ?? 0) + (history.refusals.byStatus.get(429) ?? 0);
    return [
      verdict(
        'some were refused',
        refused > 0 ? [] : ['none'],
        `${refused} events refused, ${history.acknowledged} accepted`,
      ),
    ];
  },
};
