import { expect, test } from 'vitest';
import type { FetchedBatch } from './drop-aborted.ts';
import { PassedOver } from './passed-over.ts';

/** @param deltas of the records that are left */
const batch = (firstOffset: number, lastOffsetDelta: number, deltas: readonly number[] = []): FetchedBatch => ({
  ...{ firstOffset: BigInt(firstOffset), lastOffsetDelta, attributes: 0x10, producerId: 7n },
  records: deltas.map((offsetDelta) => ({ key: null, offsetDelta })),
});
const mark = (offset: number): FetchedBatch => ({ ...batch(offset, 0, [0]), attributes: 0x30 });

function after(...answers: readonly (readonly FetchedBatch[])[]): (offset: number) => number {
  const passedOver = new PassedOver();
  for (const batches of answers) passedOver.note('t', 0, batches);
  return (offset) => Number(passedOver.after('t', 0, BigInt(offset)));
}

test('who has the last message is past the marks and the taken back behind it, and who has not is not', () => {
  const next = after([batch(0, 2, [0, 1, 2]), mark(3), batch(4, 5), mark(10)]);
  expect([2, 3, 4, 10, 11, 12].map(next)).toEqual([2, 11, 11, 11, 11, 12]);
});

test('a message of which the rest of its batch was dropped counts for itself alone', () => {
  const next = after([batch(0, 9, [0, 4])]);
  expect([4, 5].map(next)).toEqual([4, 10]);
});

test('what several answers bring without a message is one stretch; a message between them begins another', () => {
  expect(after([batch(0, 0, [0]), mark(1)], [mark(2)], [batch(3, 3)])(1)).toBe(7);
  const next = after([mark(1)], [batch(2, 0, [0]), mark(3)]);
  expect([1, 2, 3].map(next)).toEqual([1, 2, 4]);
});

test('across offsets that nobody has shown nothing is passed', () => {
  const next = after([mark(1)], [mark(5)]);
  expect([1, 2, 5].map(next)).toEqual([1, 2, 6]);
});

test('an answer without batches changes nothing, and another partition and another topic are not concerned', () => {
  const passedOver = new PassedOver();
  passedOver.note('t', 0, [mark(0)]);
  passedOver.note('t', 0, []);
  expect([passedOver.after('t', 0, 0n), passedOver.after('t', 1, 0n), passedOver.after('u', 0, 0n)]).toEqual([
    1n,
    0n,
    0n,
  ]);
});

test('who has come to what was deleted is past it, until more has come', () => {
  const passedOver = new PassedOver();
  passedOver.skip('t', 0, 5n, 900n);
  expect([4n, 5n, 899n, 900n].map((offset) => passedOver.after('t', 0, offset))).toEqual([4n, 900n, 900n, 900n]);
  expect(passedOver.after('t', 1, 5n)).toBe(5n);
});

test('what was deleted behind a mark is one stretch with it, and so is what was deleted after that', () => {
  const passedOver = new PassedOver();
  passedOver.note('t', 0, [batch(17, 0, [0]), mark(18)]);
  passedOver.skip('t', 0, 19n, 30n);
  expect([17n, 18n, 19n, 30n].map((offset) => passedOver.after('t', 0, offset))).toEqual([17n, 30n, 30n, 30n]);
  passedOver.skip('t', 0, 30n, 50n);
  expect(passedOver.after('t', 0, 18n)).toBe(50n);
  // Across offsets that nobody has shown nothing is passed.
  passedOver.skip('t', 0, 51n, 60n);
  expect([18n, 50n, 51n].map((offset) => passedOver.after('t', 0, offset))).toEqual([18n, 50n, 60n]);
});
