import { OUTCOME_CODES, type OutcomeName } from './codes.ts';

type FailureName = Exclude<OutcomeName, 'delivered' | 'skipped'>;

/**
 * The reason, and the detail on record, of what still waited when the day of its event was dropped: it was skipped. Nothing else that was
 * skipped is a dead letter.
 */
export const EXPIRED = 'expired';

/** Outcomes that end a delivery as a dead letter. */
const FAILURES = Object.keys(OUTCOME_CODES).filter(
  (name): name is FailureName => name !== 'delivered' && name !== 'skipped',
);

/**
 * Why a delivery was given up: the outcome of the attempt that ended it, and of a response also what it asked for: `gone` is a 410,
 * `disabled` and `aborted` are `webhook-delivery: disable` and `abort-message`, `rejected` every other one. `expired` is what no attempt ended.
 */
export const DEAD_LETTER_REASONS = [...FAILURES, 'gone', 'disabled', 'aborted', EXPIRED] as const;

export type DeadLetterReason = (typeof DEAD_LETTER_REASONS)[number];

// Kept as JSON, where a quote inside a value is escaped: no value can pass for another header.
const WISHES = `substring(a.response_headers FROM '"webhook-delivery":"([^"]*)"')`;
const asksFor = (wish: string) => `${WISHES} ~* '(^|,)\\s*${wish}\\s*(,|$)'`;

/** The reason in SQL, of the attempt `a` that dead-lettered. It goes by the same order as `src/delivery/decide.ts`. */
export const REASON = `
  CASE WHEN a.outcome <> ${OUTCOME_CODES.rejected} THEN CASE a.outcome ${FAILURES.map((name) => `WHEN ${OUTCOME_CODES[name]} THEN '${name}'`).join(' ')} WHEN ${OUTCOME_CODES.skipped} THEN '${EXPIRED}' END
       WHEN a.status = 410 THEN 'gone'
       WHEN ${asksFor('disable')} THEN 'disabled'
       WHEN ${asksFor('abort-message')} THEN 'aborted'
       ELSE 'rejected' END`;
