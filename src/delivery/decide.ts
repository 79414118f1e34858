import type { Decision, Outcome, ReceivedResponse } from '../domain/outcome.ts';
import { nextDelayMs } from './retry-policy.ts';

export interface DecisionContext {
  /** Index in `schedule` of the attempt just made. */
  readonly step: number;
  /** Delay before each attempt, the first included, in milliseconds. */
  readonly schedule: readonly number[];
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly nowMs: number;
  /** Whether the outcome is a fault of our own egress: then it is not the delivery's. */
  readonly isOurs: boolean;
  /** Whether the endpoint has got another receiver, or was enabled anew, since the request began. */
  readonly isOutdated: boolean;
}

/** How long a delivery is put off for a fault of our own egress, at least, and by how much more at most. */
const POSTPONED_MS = 5_000;

/**
 * What follows from an outcome. A 2xx is done: the receiver has the event, and with `webhook-delivery: disable` wants no more. On any
 * other answer 410 and `webhook-delivery: disable` disable the endpoint, `webhook-delivery: abort-message` gives up this delivery alone,
 * and the rest is retried by the schedule until it is exhausted. Whoever was asked before the endpoint was changed has no say over it. A blocked delivery is retried like any failure, because its operator may
 * allow the network, or its owner mend the name, in the meantime.
 */
export function decide(outcome: Outcome, context: DecisionContext): Decision {
  switch (outcome.kind) {
    case 'delivered':
      return !context.isOutdated && wishesOf(outcome.response.headers).includes('disable')
        ? { kind: 'done', disable: ASKED }
        : { kind: 'done' };
    case 'rejected':
      return decideRejected(outcome.response, context);
    case 'unreachable':
      if (context.isOurs) return { kind: 'postpone', delayMs: Math.round(POSTPONED_MS * (1 + context.random())) };
      return retry(context, undefined);
    case 'blocked':
      return retry(context, undefined);
    case 'skipped':
      return { kind: 'cancel' };
  }
}

function decideRejected({ status, headers }: ReceivedResponse, context: DecisionContext): Decision {
  const mayDisable = !context.isOutdated;
  if (mayDisable && status === 410) return { kind: 'disable', reason: 'The receiver answered 410 Gone.' };
  const wishes = wishesOf(headers);
  if (mayDisable && wishes.includes('disable')) return { kind: 'disable', reason: ASKED };
  if (wishes.includes('abort-message')) return { kind: 'dead_letter' };
  return retry(context, headers['retry-after']);
}

const ASKED = 'The receiver answered with webhook-delivery: disable.';

/** What the receiver asks for in `webhook-delivery`, in lower case. */
function wishesOf(headers: ReceivedResponse['headers']): readonly string[] {
  const wishes = headers['webhook-delivery'];
  return wishes === undefined ? NONE : wishes.split(',').map((wish) => wish.trim().toLowerCase());
}

const NONE: readonly string[] = [];

function retry(context: DecisionContext, retryAfter: string | undefined): Decision {
  const delayMs = nextDelayMs({ ...context, retryAfter });
  return delayMs === null ? { kind: 'dead_letter' } : { kind: 'retry', delayMs };
}
