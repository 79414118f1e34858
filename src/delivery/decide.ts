import type { Decision, Outcome, ReceivedResponse } from '../domain/outcome.ts';
import { DAY_MS, longestRestMs, nextDelayMs, waitAskedMs } from './retry-policy.ts';

export interface DecisionContext {
  /** Index in `schedule` of the attempt just made. */
  readonly step: number;
  /** Delay before each attempt, the first included, in milliseconds. */
  readonly schedule: readonly number[];
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly nowMs: number;
  /** Whether the outcome is a fault of our own egress, which is not to cost the delivery an attempt of its schedule. */
  readonly isOurs: boolean;
  /** How long the endpoint has met with such faults and nothing else, in milliseconds; 0 without it. */
  readonly lastsMs?: number;
  /** Milliseconds until the event may be dropped, with its deliveries that still wait; without it, it is kept for ever. */
  readonly leftMs?: number;
  /** Whether, since the request began, the endpoint got another receiver or was enabled again. */
  readonly isOutdated: boolean;
}

/**
 * How long a delivery is postponed for a fault of our own egress: a share of the time that the fault has lasted, within bounds, times a
 * random factor between 1 and 2. So the end of a short fault is noticed soon, and a long one costs ever fewer attempts.
 */
const POSTPONED_SHARE = 1 / 4;
const POSTPONED_MS = 5_000;
const LONGEST_POSTPONED_MS = 150_000;
/**
 * If the next delay reaches beyond the time when the event may be dropped, the last attempt is due so long before that: then it is made in
 * time even if the endpoint or the worker is busy.
 */
const LAST_ATTEMPT_MS = 3_600_000;
/** If the last attempt would be due within this time, the attempt just made was the last one. */
const SHORTEST_WAIT_MS = 60_000;
/** The longest that an attempt may take. */
const LONGEST_ATTEMPT_MS = 120_000;
const DEAD: Decision = { kind: 'dead_letter' };

/**
 * Decides what follows from an outcome.
 * - 2xx: done, the receiver has the event. With `webhook-delivery: disable` it wants no more, and the endpoint is disabled.
 * - 410, or another answer with `webhook-delivery: disable`: the delivery is dead-lettered and the endpoint disabled.
 * - Another answer with `webhook-delivery: abort-message`: this delivery alone is dead-lettered.
 * - Everything else is retried until the schedule is exhausted. That includes blocked deliveries, because meanwhile the operator may allow
 *   the network, or the owner of the endpoint correct its name.
 * - A fault of our own egress postpones the delivery.
 *
 * An answer to a request from before the endpoint was changed does not disable it.
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

/**
 * A delivery may be postponed only while the rest of its schedule still fits before its event may be dropped. Otherwise it would go with its
 * event, unseen, in place of ending as a dead letter.
 */
function mayPutOff({ schedule, step, leftMs = Number.POSITIVE_INFINITY }: DecisionContext): boolean {
  return leftMs > longestRestMs(schedule, step) + 2 * LONGEST_POSTPONED_MS + DAY_MS;
}

function postpone({ lastsMs = 0, random }: DecisionContext): Decision {
  const leastMs = Math.min(Math.max(POSTPONED_MS, lastsMs * POSTPONED_SHARE), LONGEST_POSTPONED_MS);
  return { kind: 'postpone', delayMs: Math.round(leastMs * (1 + random())) };
}

/**
 * Retries by the schedule. Jitter and `Retry-After` may stretch the next delay beyond the time when the event may be dropped. Then the next
 * attempt is made before that, as late as is safe, and not before the receiver asked for it if there is time. Waiting until the event is
 * dropped, the delivery would end unseen. If no attempt fits any more, the delivery is dead-lettered.
 */
function retry(context: DecisionContext, retryAfter: string | undefined): Decision {
  const delayMs = nextDelayMs({ ...context, retryAfter });
  if (delayMs === null) return DEAD;
  const { leftMs = Number.POSITIVE_INFINITY } = context;
  const mostMs = leftMs - LAST_ATTEMPT_MS;
  if (delayMs <= mostMs) return { kind: 'retry', delayMs };
  const latestMs = Math.floor(leftMs - LONGEST_ATTEMPT_MS);
  const askedMs = waitAskedMs({ ...context, retryAfter });
  if (askedMs > Math.max(mostMs, 0) && askedMs <= latestMs)
    return { kind: 'retry', delayMs: Math.min(delayMs, latestMs) };
  if (mostMs >= SHORTEST_WAIT_MS) return { kind: 'retry', delayMs: Math.floor(mostMs) };
  return delayMs <= latestMs ? { kind: 'retry', delayMs } : DEAD;
}
