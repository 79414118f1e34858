import type { Fault } from '../domain/errors.ts';

/** Why a message is no event, and never will be as it is. */
export interface MessageProblem {
  /** A stable word: `invalid_json`, `invalid_event`, `tenant_not_found`, `idempotency_conflict`, `too_large`, `unmapped`, … */
  readonly reason: string;
  readonly detail: string;
  readonly faults: readonly Fault[];
}
