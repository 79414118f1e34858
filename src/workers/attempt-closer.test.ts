import { expect, test } from 'vitest';
import { DAY_MS } from '../delivery/retry-policy.ts';
import { newUuid } from '../domain/ids.ts';
import type { Outcome } from '../domain/outcome.ts';
import { AttemptCloser } from './attempt-closer.ts';
import type { Desk } from './desk.ts';
import type { Letter } from './letter-queue.ts';

/** Half past seven, UTC, of a day. */
const NOW_MS = 1_800_000_000_000 - 30 * 60_000;
const INTO_DAY_MS = 7.5 * 3_600_000;
const timing = { dnsMs: null, connectMs: null, firstByteMs: null, totalMs: 0 };
const outcome: Outcome = { kind: 'unreachable', reason: 'network', detail: '', ours: 'proxy', timing };

/** What follows for a delivery of an event this old from a fault of ours, or of the endpoint, where events are kept for 30 days. */
function decisionAt(ageMs: number, isOurs = true) {
  const decisions: string[] = [];
  const closer = new AttemptCloser({
    nowMs: () => NOW_MS,
    retentionMs: 30 * DAY_MS,
    settle: ({ decision }) => decisions.push(decision.kind),
    onAttempt: () => {},
    onGateNews: () => {},
    disable: async () => true,
  });
  const due = { eventUuid: newUuid(NOW_MS - ageMs), endpointNum: 1, tenantNum: 1, lane: 0, attempt: 0, step: 0 };
  const letter = { due: { ...due, isReplay: false, order: null }, body: { body: Buffer.from('{}') } };
  const desk = { target: { retryScheduleMs: [0, 1_000] } };
  const ending = { startedAtMs: NOW_MS, outcome, isOurs, isOutdated: false, news: [] };
  closer.close(letter as unknown as Letter, ending, desk as unknown as Desk);
  return decisions;
}

test('G2: what is put off for a fault of ours comes back to its schedule before its event may be dropped', () => {
  // They are minutes apart, and a midnight: days are dropped whole.
  const ages = [29 * DAY_MS + INTO_DAY_MS - 300_000, 29 * DAY_MS + INTO_DAY_MS + 60_000];
  expect(ages.map((ageMs) => decisionAt(ageMs))).toEqual([['postpone'], ['retry']]);
});

test('G2: a delivery whose event is about to be dropped is not retried, and ends as a dead letter while it is there', () => {
  expect([30 * DAY_MS + INTO_DAY_MS, 31 * DAY_MS].map((ageMs) => decisionAt(ageMs, false))).toEqual([
    ['retry'],
    ['dead_letter'],
  ]);
});
