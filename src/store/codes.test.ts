import { expect, test } from 'vitest';
import type { Decision, Outcome } from '../domain/outcome.ts';
import { DECISION, decisionCode, NOTICE_CODES, noticeKind, OUTCOME_CODES, outcomeCode, outcomeName } from './codes.ts';

test('the numbers never change: rows in the table carry them', () => {
  expect(OUTCOME_CODES).toEqual({
    delivered: 1,
    rejected: 2,
    blocked: 3,
    skipped: 4,
    timeout: 10,
    dns: 11,
    refused: 12,
    reset: 13,
    tls: 14,
    protocol: 15,
    network: 16,
  });
  expect(DECISION).toEqual({ done: 1, retry: 2, deadLetter: 3, cancel: 4, late: 5, postpone: 6 });
  expect(NOTICE_CODES).toEqual({
    'endpoint.disabled': 1,
    'endpoint.enabled': 2,
    'endpoint.breaker_opened': 3,
    'endpoint.breaker_closed': 4,
    'endpoint.throttled': 5,
    'delivery.failing': 10,
    'delivery.recovered': 11,
    'delivery.dead_lettered': 12,
  });
});

test('an outcome is written by its kind, or by its reason when nothing was reached', () => {
  expect(outcomeCode({ kind: 'skipped', reason: 'endpoint_deleted' })).toBe(OUTCOME_CODES.skipped);
  for (const reason of ['timeout', 'dns', 'refused', 'reset', 'tls', 'protocol', 'network'] as const) {
    expect(outcomeName(outcomeCode({ kind: 'unreachable', reason } as Outcome))).toBe(reason);
  }
});

test('each code names one outcome or one kind of notice, and an unknown one is a bug', () => {
  for (const [name, code] of Object.entries(OUTCOME_CODES)) expect(outcomeName(code)).toBe(name);
  expect(() => outcomeName(99)).toThrow(/unknown outcome code/);
  for (const [kind, code] of Object.entries(NOTICE_CODES)) expect(noticeKind(code)).toBe(kind);
  expect(() => noticeKind(99)).toThrow(/unknown kind/);
});

test.each<[Decision, number]>([
  [{ kind: 'done' }, DECISION.done],
  [{ kind: 'retry', delayMs: 1 }, DECISION.retry],
  [{ kind: 'postpone', delayMs: 1 }, DECISION.postpone],
  [{ kind: 'dead_letter' }, DECISION.deadLetter],
  [{ kind: 'disable', reason: '' }, DECISION.deadLetter],
  [{ kind: 'cancel' }, DECISION.cancel],
])('%o is written as %i', (decision, code) => {
  expect(decisionCode(decision)).toBe(code);
});
