import type { LedgerRecord } from './ledger-writer.ts';

/** For each first attempt at two endpoints, in the order of receipt: how many events of the other, posted later, were received before. */
export interface Overtaken {
  readonly first: readonly number[];
  readonly second: readonly number[];
}

/**
 * Of events that are posted to two endpoints in turn, how often those of one are overtaken by those of the other: delay that only one of
 * them has, counted by the order at the receiver. What holds up both holds it up for neither.
 * @param events numbers of the events that count, the last excluded
 */
export async function readOvertaken(
  records: AsyncIterable<LedgerRecord> | Iterable<LedgerRecord>,
  [first, second]: readonly [number, number],
  [from, to]: readonly [number, number],
): Promise<Overtaken> {
  const received: Record<number, number[]> = { [first]: [], [second]: [] };
  const overtaken: Record<number, number[]> = { [first]: [], [second]: [] };
  for await (const record of records) {
    if (record.kind !== 'request' || record.attempt !== 1 || record.event < from || record.event >= to) continue;
    const { endpoint, event } = record;
    if (endpoint !== first && endpoint !== second) continue;
    const others = received[endpoint === first ? second : first]!;
    overtaken[endpoint]!.push(others.filter((other) => other > event).length);
    received[endpoint]!.push(event);
  }
  return { first: overtaken[first]!, second: overtaken[second]! };
}
