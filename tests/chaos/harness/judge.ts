import type { History } from './history.ts';
import { PROBLEM, type Tally } from './tally.ts';

/** One invariant, as the run found it. */
export interface Verdict {
  readonly name: string;
  readonly isHeld: boolean;
  /** What it was seen by, or how it was violated. */
  readonly evidence: string;
}

export interface Allowances {
  /** Requests that may be repeated: what was in flight at the crashes of workers. 0 where nothing crashed. */
  readonly repeatsAtMost: number;
  /** From the heal until nothing waits any more. */
  readonly recoveryMs: number;
  readonly recoveryAtMostMs: number;
  /** Answers that the scenario expects besides 202. */
  readonly refusals: readonly number[];
  /** How long a refusal may take: a second, and what a busy machine adds. */
  readonly refusalAtMostMs: number;
}

/** Compares the tally with what is allowed: I1 to I8 and I11, and G5 where order was asked for. */
export function judge(tally: Tally, history: History, allowed: Allowances): Verdict[] {
  const { problems } = tally;
  const of = (...kinds: string[]) => kinds.flatMap((kind) => problems.describe(kind));
  const { repeatsAtMost, recoveryMs, recoveryAtMostMs } = allowed;
  const late =
    recoveryMs > recoveryAtMostMs ? [`the backlog was empty after ${recoveryMs} ms, allowed ${recoveryAtMostMs}`] : [];
  return [
    verdict(
      'I1 every acknowledged event is stored exactly once',
      [
        ...of(PROBLEM.notStored, PROBLEM.storedTwice, PROBLEM.otherId, PROBLEM.refusedStored, PROBLEM.stranger),
        ...history.contradictions.slice(0, 3),
      ],
      `${history.acknowledged} acknowledged, ${tally.storedEvents} stored`,
    ),
    verdict(
      'I2 each event has exactly one delivery for each endpoint that it matches',
      of(PROBLEM.noDelivery, PROBLEM.endsTwice, PROBLEM.endedAndWaits, PROBLEM.notForIt),
      `${tally.slots.size} deliveries`,
    ),
    verdict(
      'I3 every delivery ended in time',
      [...of(PROBLEM.stillWaiting, PROBLEM.lost), ...late],
      `${(recoveryMs / 1000).toFixed(1)} s after the heal`,
    ),
    verdict(
      'I4 delivered only with a 2xx in the ledger',
      of(PROBLEM.falseDelivered),
      `${sum(tally.doneByEndpoint)} delivered`,
    ),
    verdict(
      'I5 duplicates carry the same id and body, and are few',
      [
        ...of(PROBLEM.otherWebhookId, PROBLEM.otherBody),
        ...over('duplicates', Math.max(tally.duplicates, tally.repeated), repeatsAtMost),
      ],
      `${tally.duplicates} duplicates, ${tally.repeated} requests repeated, at most ${repeatsAtMost} allowed`,
    ),
    verdict(
      'I6 attempts on record are the requests in the ledger',
      [...of(PROBLEM.invented), ...over('requests without a record', tally.unrecorded, repeatsAtMost)],
      `${tally.requests} requests, ${tally.attempts} attempts, ${tally.unrecorded} interrupted`,
    ),
    verdict('I7 no endpoint got another tenant’s event', of(PROBLEM.otherTenant), `${tally.requests} requests`),
    verdict(
      'I8 what was not stored was refused, fast and with Retry-After',
      refusalFaults(history, allowed),
      refusals(history),
    ),
    verdict('I11 every request’s signature verifies', of(PROBLEM.forged), `${tally.requests} requests`),
    ...(hasSubjects(history)
      ? [verdict('G5 acceptance order held within each subject', of(PROBLEM.inverted), 'no inversion')]
      : []),
  ];
}

export function verdict(name: string, faults: readonly string[], evidence: string): Verdict {
  return { name, isHeld: faults.length === 0, evidence: faults.length === 0 ? evidence : faults.join(' | ') };
}

function over(what: string, count: number, most: number): string[] {
  return count > most ? [`${count} ${what}, at most ${most} allowed`] : [];
}

function refusalFaults({ refusals }: History, allowed: Allowances): string[] {
  const unexpected = [...refusals.byCode].filter(([reason]) => !allowed.refusals.includes(Number.parseInt(reason, 10)));
  return [
    ...unexpected.map(([reason, count]) => `${count} answers ${reason}`),
    ...(refusals.withoutRetryAfter > 0 ? [`${refusals.withoutRetryAfter} without Retry-After`] : []),
    ...(refusals.slowestMs > allowed.refusalAtMostMs
      ? [`the slowest took ${Math.round(refusals.slowestMs)} ms, allowed ${allowed.refusalAtMostMs}`]
      : []),
  ];
}

function refusals({ refusals: { byCode, slowestMs }, unanswered }: History): string {
  const counts = [...byCode].map(([reason, count]) => `${count} × ${reason}`);
  const list = counts.length === 0 ? 'no refusals' : `${counts.join(', ')}, the slowest in ${Math.round(slowestMs)} ms`;
  return unanswered === 0 ? list : `${list}; ${unanswered} posts without an answer`;
}

function hasSubjects(history: History): boolean {
  return history.count > 0 && history.subjectOf(0) > 0;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + (number ?? 0), 0);
}
