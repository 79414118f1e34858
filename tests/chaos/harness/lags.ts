import type { RequestRecord } from './ledger-writer.ts';
import type { Play } from './play.ts';
import { readLedger } from './read-ledger.ts';

/** From when the producer was to post to the receiver, in ms, of first attempts that satisfy; sorted. */
export async function lagsOf(play: Play, satisfies: (record: RequestRecord) => boolean): Promise<number[]> {
  await play.receiver.report();
  const lags: number[] = [];
  for await (const record of readLedger(play.ledgerPath))
    if (record.kind === 'request' && record.attempt === 1 && record.event >= 0 && satisfies(record))
      lags.push(record.lagMs);
  return lags.sort((a, b) => a - b);
}

/** @param share such as 0.99. @returns NaN of nothing. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
