import { beforeEach, expect, test } from 'vitest';
import { InflationError } from '../brokers/guard-inflation.ts';
import { type Choice, FetchCaution, type WantedPartition } from './fetch-caution.ts';

const TOO_LARGE = new InflationError();
const nameOf = (id: string) => `the topic ${id}`;

let nowMs: number;
let caution: FetchCaution;

beforeEach(() => {
  nowMs = 0;
  caution = new FetchCaution(() => nowMs);
});

const want = (...offsets: readonly bigint[]) =>
  offsets.map((fetchOffset, partition) => ({ topicId: 't', partitions: [{ partition, fetchOffset }] }));

const partitionsOf = ({ topics }: Choice<WantedPartition>) =>
  topics.flatMap(({ partitions }) => partitions.map(({ partition }) => partition));

test('all is asked for until an answer of several batches was too large; then a batch of one partition after the other, for a minute', () => {
  const all = caution.choose(want(0n, 0n, 0n));
  expect([partitionsOf(all), all.isAlone]).toEqual([[0, 1, 2], false]);
  expect(caution.refuse(TOO_LARGE, all, nameOf)).toBeNull();
  expect(caution.error).toBeNull();
  for (const [at, partition] of [
    [0, 0],
    [1, 1],
    [2, 2],
    [3, 0],
    [59_999, 1],
  ] as const) {
    nowMs = at;
    const one = caution.choose(want(5n, 6n, 7n));
    expect([partitionsOf(one), one.isAlone]).toEqual([[partition], true]);
  }
  nowMs = 60_000;
  expect(caution.choose(want(5n, 6n, 7n)).isAlone).toBe(false);
});

test('partitions of two brokers have their turns, though these are asked one after the other', () => {
  caution.refuse(TOO_LARGE, caution.choose(want(0n)), nameOf);
  const ofBroker = (first: number) =>
    [first, first + 1].map((partition) => ({ topicId: 't', partitions: [{ partition, fetchOffset: 0n }] }));
  const asked = [0, 2, 0, 2, 0, 2].flatMap((first) => partitionsOf(caution.choose(ofBroker(first))));
  expect(asked).toEqual([0, 2, 1, 3, 0, 2]);
});

/** Has all of a broker be too large, and then a batch of its first partition. */
function holdTheFirst(): Error | null {
  caution.refuse(TOO_LARGE, caution.choose(want(3n, 3n)), nameOf);
  return caution.refuse(TOO_LARGE, caution.choose(want(3n, 3n)), nameOf);
}

test('a partition whose next batch alone is too large is left alone and named; the others go on, after a minute together', () => {
  expect(holdTheFirst()?.message).toMatch(
    /^The batch of messages at the topic t\/0\/3 cannot be taken .*set the offset of the group past it/,
  );
  expect(partitionsOf(caution.choose(want(3n, 3n)))).toEqual([1]);
  expect(caution.error).toMatch(/topic t\/0\/3/);
  nowMs = 61_000;
  const later = caution.choose(want(3n, 8n, 9n));
  expect([partitionsOf(later), later.isAlone]).toEqual([[1, 2], false]);
  expect(caution.choose(want(3n)).topics).toEqual([]);
});

test('it is asked for again when the group is past it, and after ten minutes, in which retention may have taken it', () => {
  holdTheFirst();
  nowMs = 61_000;
  expect(partitionsOf(caution.choose(want(4n, 3n)))).toEqual([0, 1]);
  expect(caution.error).toBeNull();
  expect(partitionsOf(caution.choose(want(3n, 3n)))).toEqual([0, 1]);
  holdTheFirst();
  nowMs += 599_999;
  expect(partitionsOf(caution.choose(want(3n, 3n)))).toEqual([1]);
  nowMs += 1;
  expect(partitionsOf(caution.choose(want(3n, 3n)))).toEqual([0, 1]);
});

test('what is held is told for as long as it is wanted here, and how many more there are', () => {
  holdTheFirst();
  caution.refuse(TOO_LARGE, caution.choose(want(3n, 3n)), nameOf);
  expect(caution.error).toMatch(/t\/0\/3 .*So it is with 1 more\.$/);
  nowMs = 30_001;
  expect(caution.error).toBeNull();
  caution.choose(want(3n));
  expect(caution.error).toMatch(/t\/0\/3/);
});
