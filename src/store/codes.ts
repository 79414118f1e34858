import type { NoticeKind } from '../domain/notice.ts';
import { type Decision, type Outcome, outcomeWord, type StayingDecision } from '../domain/outcome.ts';

/** How outcomes and decisions are written in the `attempts` table: small numbers, because there is a row per attempt. Never renumber. */

export const OUTCOME_CODES = {
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
} as const satisfies Record<ReturnType<typeof outcomeWord>, number>;

export type OutcomeName = keyof typeof OUTCOME_CODES;

export const DECISION = {
  done: 1,
  retry: 2,
  deadLetter: 3,
  cancel: 4,
  /** The attempt came back after its delivery had ended otherwise: kept as a fact, without effect. */
  late: 5,
  /** Tried again later without taking anything from the delivery's schedule. */
  postpone: 6,
} as const;

/** Of the attempts with one of these decisions, the last one says how a delivery ended: a condition in SQL. */
export const ENDING = `decision IN (${DECISION.done}, ${DECISION.deadLetter}, ${DECISION.cancel})`;

const STAYING = {
  retry: DECISION.retry,
  postpone: DECISION.postpone,
} as const satisfies Record<StayingDecision['kind'], number>;

/** The decisions after which the delivery stays in the mailbox (`staysInMailbox`): a list in SQL. */
export const STAYING_DECISIONS = `(${Object.values(STAYING).join(', ')})`;

/** How notices are written in `system_notices` and `announcements`. Never renumber. */
export const NOTICE_CODES = {
  'endpoint.disabled': 1,
  'endpoint.enabled': 2,
  'endpoint.breaker_opened': 3,
  'endpoint.breaker_closed': 4,
  'endpoint.throttled': 5,
  'delivery.failing': 10,
  'delivery.recovered': 11,
  'delivery.dead_lettered': 12,
} as const satisfies Record<NoticeKind, number>;

const NOTICE_NAMES = new Map<number, NoticeKind>(
  (Object.entries(NOTICE_CODES) as [NoticeKind, number][]).map(([kind, code]) => [code, kind]),
);

export function noticeKind(code: number): NoticeKind {
  const kind = NOTICE_NAMES.get(code);
  if (kind === undefined) throw new Error(`A notice has an unknown kind ${code}: a newer version wrote it.`);
  return kind;
}

const OUTCOME_NAMES = new Map<number, OutcomeName>(
  (Object.entries(OUTCOME_CODES) as [OutcomeName, number][]).map(([name, code]) => [code, name]),
);

export function outcomeCode(outcome: Outcome): number {
  return OUTCOME_CODES[outcomeWord(outcome)];
}

export function outcomeName(code: number): OutcomeName {
  const name = OUTCOME_NAMES.get(code);
  if (name === undefined) throw new Error(`The attempts table holds an unknown outcome code ${code}.`);
  return name;
}

export function decisionCode(decision: Decision): number {
  switch (decision.kind) {
    case 'done':
      return DECISION.done;
    case 'retry':
      return DECISION.retry;
    case 'postpone':
      return DECISION.postpone;
    case 'dead_letter':
    case 'disable':
      return DECISION.deadLetter;
    case 'cancel':
      return DECISION.cancel;
  }
}
