import type { Decision, Outcome, UnreachableReason } from '../domain/outcome.ts';

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
} as const satisfies Record<Exclude<Outcome['kind'], 'unreachable'> | UnreachableReason, number>;

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

const OUTCOME_NAMES = new Map<number, OutcomeName>(
  (Object.entries(OUTCOME_CODES) as [OutcomeName, number][]).map(([name, code]) => [code, name]),
);

export function outcomeCode(outcome: Outcome): number {
  return OUTCOME_CODES[outcome.kind === 'unreachable' ? outcome.reason : outcome.kind];
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
