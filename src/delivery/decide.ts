import type { Decision, Outcome, ReceivedResponse } from '../domain/outcome.ts';
import { DAY_MS, longestRestMs, nextDelayMs, parseRetryAfter } from './retry-policy.ts';

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
  /** How long the endpoint has met with such faults and nothing else, in milliseconds; not at all without it. */
  readonly lastsMs?: number;
  /** How long it is until the event may be dropped, with all that waits for it, in milliseconds; for ever without it. */
  readonly leftMs?: number;
  /** Whether the endpoint has got another receiver, or was enabled anew, since the request began. */
  readonly isOutdated: boolean;
}

/**
 * How long a delivery is put off for a fault of our own egress: a share of the time that it has lasted, within bounds, and up to as much again. What passes soon
 * is found out soon, and what does not costs ever fewer attempts.
 */
const POSTPONED_SHARE = 1 / 4;
const POSTPONED_MS = 5_000;
const LONGEST_POSTPONED_MS = 150_000;
/** How long before its event may be dropped a delivery whose next delay is too long is tried for the last time, so that it is made although its endpoint or its worker is busy. */
const LAST_ATTEMPT_MS = 3_600_000;
/** Where less than this is left until then, it was made. */
const SHORTEST_WAIT_MS = 60_000;
/** The longest that an attempt may take. */
const LONGEST_ATTEMPT_MS = 120_000;
const DEAD: Decision = { kind: 'dead_letter' };

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
      return context.isOurs && mayPutOff(context) ? postpone(context) : retry(context, undefined);
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

/** Only as long as its schedule still fits before its event may be dropped: put off until then it would go unseen, rather than end as a dead letter. */
function mayPutOff({ schedule, step, leftMs = Number.POSITIVE_INFINITY }: DecisionContext): boolean {
  return leftMs > longestRestMs(schedule, step) + 2 * LONGEST_POSTPONED_MS + DAY_MS;
}

function postpone({ lastsMs = 0, random }: DecisionContext): Decision {
  const leastMs = Math.min(Math.max(POSTPONED_MS, lastsMs * POSTPONED_SHARE), LONGEST_POSTPONED_MS);
  return { kind: 'postpone', delayMs: Math.round(leastMs * (1 + random())) };
}

/**
 * By the schedule, which chance and `Retry-After` may stretch beyond what is left of the event: then it is tried once more, as late as can be, and given up
 * when that is over, unless its delays are short enough for more. Waiting for its event to be dropped it would end unseen. That attempt is not made before the
 * receiver asked for it, where it fits after that.
 */
function retry(context: DecisionContext, retryAfter: string | undefined): Decision {
  const delayMs = nextDelayMs({ ...context, retryAfter });
  if (delayMs === null) return DEAD;
  const { leftMs = Number.POSITIVE_INFINITY } = context;
  const mostMs = leftMs - LAST_ATTEMPT_MS;
  if (delayMs <= mostMs) return { kind: 'retry', delayMs };
  const latestMs = Math.floor(leftMs - LONGEST_ATTEMPT_MS);
  const askedMs = (retryAfter === undefined ? null : parseRetryAfter(retryAfter, context.nowMs)) ?? 0;
  if (askedMs > Math.max(mostMs, 0) && askedMs <= latestMs)
    return { kind: 'retry', delayMs: Math.min(delayMs, latestMs) };
  if (mostMs >= SHORTEST_WAIT_MS) return { kind: 'retry', delayMs: Math.floor(mostMs) };
  return delayMs <= latestMs ? { kind: 'retry', delayMs } : DEAD;
}
