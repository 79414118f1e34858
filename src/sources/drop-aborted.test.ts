import { expect, test } from 'vitest';
import { dropAborted, type FetchedBatch, type FetchedPartition } from './drop-aborted.ts';

const marker = (offset: number, producer: number, kind: 'abort' | 'commit'): FetchedBatch => ({
  ...{ firstOffset: BigInt(offset), lastOffsetDelta: 0, attributes: 0x30, producerId: BigInt(producer) },
  records: [{ key: Buffer.from([0, 0, 0, kind === 'abort' ? 0 : 1]), offsetDelta: 0 }],
});
const batch = (offset: number, producer: number, attributes = 0x10): FetchedBatch => ({
  ...{ firstOffset: BigInt(offset), lastOffsetDelta: 1, attributes, producerId: BigInt(producer) },
  records: [0, 1].map((offsetDelta) => ({ key: null, offsetDelta })),
});
const aborted = (...pairs: readonly [number, number][]) =>
  pairs.map(([producer, offset]) => ({ producerId: BigInt(producer), firstOffset: BigInt(offset) }));

/** The first offsets of the batches that still have records. */
function left(partition: FetchedPartition): number[] {
  dropAborted(partition);
  return partition.records!.filter(({ records }) => records.length > 0).map(({ firstOffset }) => Number(firstOffset));
}

test('of several transactions of one producer those that were aborted are dropped, and no other', () => {
  const records = [batch(0, 7), marker(2, 7, 'abort'), batch(3, 7), marker(5, 7, 'commit'), batch(6, 7)];
  const end = marker(8, 7, 'abort');
  const transactions = aborted([7, 6], [7, 0]);
  expect(left({ abortedTransactions: transactions, records: [...records, end] })).toEqual([2, 3, 5, 8]);
});

test('a transaction whose end is not in the answer is dropped as far as it goes, and its batches stay to be passed', () => {
  const partition = { abortedTransactions: aborted([7, 0]), records: [batch(0, 7), batch(2, 8), batch(4, 7)] };
  expect(left(partition)).toEqual([2]);
  expect(partition.records).toHaveLength(3);
});

test('what other producers wrote, and what the same one wrote without a transaction, stays', () => {
  const records = [batch(0, 8), batch(2, 7), batch(4, 7, 0), batch(6, 8), marker(8, 7, 'abort')];
  expect(left({ abortedTransactions: aborted([7, 2]), records })).toEqual([0, 4, 6, 8]);
});

test('an answer without transactions is left as it is', () => {
  expect(left({ abortedTransactions: null, records: [batch(0, 7), batch(2, 7, 0)] })).toEqual([0, 2]);
});
