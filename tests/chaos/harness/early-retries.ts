import type { LedgerRecord } from './ledger-writer.ts';

/** Retries are spread by so much about their schedule. */
const JITTER = 0.2;

export interface Retries {
  /** First attempts. */
  readonly firsts: number;
  readonly retries: number;
  /** Answers that call for another attempt. */
  readonly failed: number;
  /** Those of `retries` that came sooner after the attempt before than the schedule allows. */
  readonly early: readonly string[];
}

/**
 * Counts the ledger's attempts and holds each retry against the schedule: by the receiver's clock alone, and from when it had the attempt
 * before, which is sooner than its answer, so that a slow machine makes no retry early.
 * @param schedule seconds before each attempt, the first included
 */
export async function readRetries(
  records: AsyncIterable<LedgerRecord> | Iterable<LedgerRecord>,
  schedule: readonly number[],
): Promise<Retries> {
  const counts = { firsts: 0, retries: 0, failed: 0 };
  const early: string[] = [];
  const last = new Map<string, { attempt: number; atMs: number }>();
  for await (const record of records) {
    if (record.kind === 'answer') {
      if (record.status < 200 || record.status > 299) counts.failed++;
      continue;
    }
    const { endpoint, event, attempt, atMs } = record;
    const name = `event ${event} to endpoint ${endpoint}`;
    counts[attempt === 1 ? 'firsts' : 'retries']++;
    const before = last.get(name);
    const leastMs = (schedule[attempt - 1] ?? 0) * 1_000 * (1 - JITTER);
    if (before !== undefined && atMs - before.atMs < leastMs)
      early.push(`${name}, attempt ${attempt} after ${atMs - before.atMs} ms, at least ${leastMs}`);
    last.set(name, { attempt, atMs });
  }
  return { ...counts, early };
}
