import { beforeEach, expect, test } from 'vitest';
import { InflationError } from '../brokers/guard-inflation.ts';
import { type Choice, FetchCaution, type HeldReason, partitionKey, type WantedPartition } from './fetch-caution.ts';

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

/** What is asked for: how much, and of which partitions. */
const asked = ({ topics, size }: Choice<WantedPartition>) => [
  size,
  topics.flatMap(({ partitions }) => partitions.map(({ partition }) => partition)),
];

const refuse = (choice: Choice<WantedPartition>, error = TOO_LARGE) => caution.refuse(error, choice, nameOf);

test('all is asked for as usual until an answer of several batches was too large; then one batch of whichever partition, for a minute', () => {
  const all = caution.choose(want(0n, 0n, 0n));
  expect(asked(all)).toEqual(['usual', [0, 1, 2]]);
  expect(refuse(all)).toBeNull();
  expect(caution.error).toBeNull();
  const orders = [0, 1, 59_999].map((at) => {
    nowMs = at;
    return asked(caution.choose(want(5n, 6n, 7n)));
  });
  // Each is the first in its turn.
  expect(orders).toEqual([
    ['one', [0, 1, 2]],
    ['one', [1, 2, 0]],
    ['one', [2, 0, 1]],
  ]);
  nowMs = 60_000;
  expect(asked(caution.choose(want(5n, 6n, 7n)))).toEqual(['usual', [0, 1, 2]]);
});

/** Has all of a broker be too large, then a batch of whichever partition. */
function suspectAll(): void {
  for (let i = 0; i < 2; i++) expect(refuse(caution.choose(want(3n, 3n, 3n)))).toBeNull();
}

test('where one batch is too large, partitions are asked alone until it is found whose it is; it is left alone and named, and the others go on', () => {
  suspectAll();
  expect(asked(caution.choose(want(3n, 3n, 3n)))).toEqual(['alone', [0]]);
  const found = caution.choose(want(4n, 3n, 3n));
  expect(asked(found)).toEqual(['alone', [1]]);
  expect(refuse(found)?.message).toMatch(/in the topic t\/1 up to offset 3 cannot be .* set the offset .* to 4\.$/);
  expect(caution.error).toMatch(/topic t\/1 up to offset 3/);
  expect(asked(caution.choose(want(4n, 3n, 3n)))).toEqual(['one', [2, 0]]);
  nowMs = 60_000;
  expect(asked(caution.choose(want(4n, 3n, 3n)))).toEqual(['usual', [0, 2]]);
  expect(asked(caution.choose(want(4n, 3n, 3n).slice(1, 2)))).toEqual(['usual', []]);
});

test('when all were asked alone and none was too large, they are asked together again', () => {
  suspectAll();
  const sizes = [1, 2, 3, 4].map(() => caution.choose(want(3n, 3n, 3n)).size);
  expect(sizes).toEqual(['alone', 'alone', 'alone', 'one']);
});

/** Has partition 0 be held at offset 3. */
function holdTheFirst(): void {
  suspectAll();
  expect(refuse(caution.choose(want(3n, 3n)))).not.toBeNull();
}

test('what is held is asked for again when the group is past it', () => {
  holdTheFirst();
  nowMs = 60_000;
  expect(asked(caution.choose(want(4n, 3n)))).toEqual(['usual', [0, 1]]);
  expect(caution.error).toBeNull();
});

test('every ten minutes it is asked for alone, once, since retention may have taken it', () => {
  holdTheFirst();
  nowMs = 599_999;
  expect(asked(caution.choose(want(3n, 3n)))).toEqual(['usual', [1]]);
  for (nowMs of [600_000, 1_200_000]) {
    const again = caution.choose(want(3n, 3n));
    expect(asked(again)).toEqual(['alone', [0]]);
    expect(asked(caution.choose(want(3n, 3n)))).toEqual(['usual', [1]]);
    refuse(again);
    expect(asked(caution.choose(want(3n, 3n)))).toEqual(['usual', [1]]);
  }
});

test('what is held is told, with how many more there are, until the group gives the partition to others', () => {
  holdTheFirst();
  for (let i = 0; i < 2; i++) refuse(caution.choose(want(3n, 4n)));
  expect(caution.error).toMatch(/t\/0 .*So it is with 1 more\.$/);
  nowMs = 10_000_000;
  expect(caution.error).toMatch(/1 more/);
  caution.assign(new Set([partitionKey('t', 0)]));
  expect(caution.error).toMatch(/t\/0 .*\.$/);
  expect(caution.error).not.toMatch(/more\.$/);
  caution.assign(new Set());
  expect(caution.error).toBeNull();
});

test('what is held is counted by why for as long as it is, once, whoever ends it', () => {
  const counts: Record<HeldReason, number> = { cut_off: 0, too_large: 0 };
  caution = new FetchCaution(
    () => nowMs,
    (reason, change) => {
      counts[reason] += change;
    },
  );
  const cutOff = (partition: number) => caution.lose('t', { partition, fetchOffset: 3n }, 'It ends before that.');
  holdTheFirst();
  for (const partition of [1, 1, 2, 3]) cutOff(partition);
  expect(counts).toEqual({ cut_off: 3, too_large: 1 });
  nowMs = 10_000_000;
  // It is asked for again, and is too large still.
  refuse(caution.choose(want(3n, 3n, 3n, 3n)));
  expect(counts).toEqual({ cut_off: 3, too_large: 1 });
  caution.choose(want(3n, 3n, 4n, 3n));
  expect(counts).toEqual({ cut_off: 2, too_large: 1 });
  // The same place, for another reason.
  cutOff(0);
  expect(counts).toEqual({ cut_off: 3, too_large: 0 });
  caution.assign(new Set([partitionKey('t', 0), partitionKey('t', 1)]));
  expect(counts).toEqual({ cut_off: 2, too_large: 0 });
  caution.assign(new Set());
  expect(counts).toEqual({ cut_off: 0, too_large: 0 });
});
