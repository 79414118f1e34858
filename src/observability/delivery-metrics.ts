import { ATTEMPT_SECONDS, BATCH_SIZES, LATENCY_SECONDS, STATEMENT_SECONDS } from './buckets.ts';
import type { MetricKit } from './metric-kit.ts';

/** What goes out. */
export function deliveryMetrics(kit: MetricKit) {
  return {
    attempts: kit.counter('attempts_total', 'Attempts that were written down, by outcome and by what was decided.', [
      'outcome',
      'decision',
    ]),
    unreachable: kit.counter(
      'attempts_unreachable_total',
      'Those of them that did not reach the receiver, by reason.',
      ['reason'],
    ),
    deadLetters: kit.counter('dead_letters_total', 'Deliveries that were dead-lettered.'),
    expired: kit.counter(
      'deliveries_expired_total',
      'Those of them that still waited when the day of their event was dropped, never tried or in the midst of their retries.',
    ),
    attemptSeconds: kit.histogram(
      'attempt_duration_seconds',
      'Time of an attempt that made a request, from DNS to the end of the answer.',
      ATTEMPT_SECONDS,
    ),
    latencySeconds: kit.histogram(
      'delivery_latency_seconds',
      'Time from the acceptance of an event to the end of the attempt that delivered it. What a replay sent at its first attempt does not count.',
      LATENCY_SECONDS,
    ),
    settleAttempts: kit.histogram('settle_attempts', 'Attempts that one statement wrote down.', BATCH_SIZES),
    settleSeconds: kit.histogram('settle_duration_seconds', 'Time of such a statement.', STATEMENT_SECONDS),
    fetchSeconds: kit.histogram(
      'fetch_duration_seconds',
      'Time of the statement that fetches due deliveries.',
      STATEMENT_SECONDS,
    ),
    lateAttempts: kit.counter(
      'attempts_void_total',
      'Attempts that changed nothing, because their lane had another owner when they ended.',
    ),
    givenUp: kit.counter(
      'attempts_given_up_total',
      'Attempts whose record Postgres refused; their deliveries were ended without it.',
    ),
    setAside: kit.counter(
      'deliveries_set_aside_total',
      'Deliveries that were set aside because their workers kept dying.',
    ),
    gateChanges: kit.counter(
      'endpoint_changes_total',
      'Endpoints whose breaker opened or closed, that asked for a pause, or that were disabled after five days of failures.',
      ['kind'],
    ),
    egressHeld: kit.gauge('egress_held', '1 while failures are put down to the network of this host.'),
    notices: kit.counter('system_notices_total', 'Facts that tenants were told of by system events, by kind.', [
      'kind',
    ]),
  };
}
