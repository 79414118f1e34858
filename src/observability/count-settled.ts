import { uuidTime } from '../domain/ids.ts';
import type { deliveryMetrics } from './delivery-metrics.ts';
import type { SettledFact } from './facts.ts';

/** Counts a batch of attempts: once for each kind of them, and not for each of them, where that is possible. */
export function countSettled(
  metrics: ReturnType<typeof deliveryMetrics>,
  attempts: readonly SettledFact[],
  held: ReadonlySet<number>,
): void {
  const kinds = new Map<string, Kind>();
  // Nearly all are of one kind: no text is made for those that are like the one before.
  let last: Kind | null = null;
  let lost = 0;
  for (const fact of attempts) {
    if (!held.has(fact.lane)) {
      lost++;
      continue;
    }
    if (last === null || !isOfKind(last.fact, fact)) {
      const kind = kindOf(fact);
      last = kinds.get(kind) ?? { fact, count: 0 };
      kinds.set(kind, last);
    }
    last.count++;
    observeTimes(metrics, fact);
  }
  if (lost > 0) metrics.lateAttempts.inc(lost);
  for (const { fact, count } of kinds.values()) countKind(metrics, fact, count);
}

interface Kind {
  readonly fact: SettledFact;
  count: number;
}

function isOfKind(known: SettledFact, { outcome, decision }: SettledFact): boolean {
  if (known.outcome.kind !== outcome.kind || known.decision.kind !== decision.kind) return false;
  return outcome.kind !== 'unreachable' || outcome.reason === (known.outcome as typeof outcome).reason;
}

function kindOf({ outcome, decision }: SettledFact): string {
  return outcome.kind === 'unreachable'
    ? `${outcome.kind} ${decision.kind} ${outcome.reason}`
    : `${outcome.kind} ${decision.kind}`;
}

function observeTimes(metrics: ReturnType<typeof deliveryMetrics>, fact: SettledFact): void {
  const { outcome, eventUuid, startedAtMs, isReplay } = fact;
  if (!('timing' in outcome)) return;
  const { totalMs } = outcome.timing;
  metrics.attemptSeconds.observe(totalMs / 1000);
  if (outcome.kind !== 'delivered' || isReplay) return;
  metrics.latencySeconds.observe(Math.max(0, startedAtMs + totalMs - uuidTime(eventUuid)) / 1000);
}

function countKind(
  metrics: ReturnType<typeof deliveryMetrics>,
  { outcome, decision }: SettledFact,
  count: number,
): void {
  metrics.attempts.inc({ outcome: outcome.kind, decision: decision.kind }, count);
  if (outcome.kind === 'unreachable') metrics.unreachable.inc({ reason: outcome.reason }, count);
  if (decision.kind === 'dead_letter' || decision.kind === 'disable') metrics.deadLetters.inc(count);
}
