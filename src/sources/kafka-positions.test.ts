import type { Consumer } from '@platformatic/kafka';
import { expect, test, vi } from 'vitest';
import { groupLag, groupPositions } from './kafka-positions.ts';
import type { KafkaTopics } from './kafka-topics.ts';
import type { MemberConsumer } from './member-consumer.ts';

test('how far a partition is behind is not known where it ends before its place, and is told by the places at which its end was asked for', async () => {
  const asked = Promise.withResolvers<ReadonlyMap<string, bigint[]>>();
  const consumer = { listOffsets: () => asked.promise } as unknown as Consumer;
  const positions = new Map([
    ['orders/0', 3n],
    ['orders/1', 50n],
    ['orders/2', 9n],
    ['orders/3', 0n],
  ]);
  const lag = groupLag(consumer, ['orders'], positions);
  // What came after the broker has answered.
  positions.set('orders/2', 12n);
  asked.resolve(new Map([['orders', [7n, 40n, 10n]]]));
  expect(await lag).toEqual([
    { part: 'orders/0', messages: 4 },
    { part: 'orders/1', messages: null },
    { part: 'orders/2', messages: 1 },
    { part: 'orders/3', messages: null },
  ]);
});

test('where a source first began is told to the group of partitions that it has no offset in, or the first message there is if that is later: then it says so', async () => {
  const told: unknown[] = [];
  const listOffsets = vi.fn(async () => new Map([['orders', [40n, 40n, 40n, 40n]]]));
  const consumer = {
    membership: null,
    assignments: [{ topic: 'orders', partitions: [0, 1, 2, 3] }],
    listCommittedOffsets: async () => new Map([['orders', [7n, -1n, -1n, -1n]]]),
    listOffsets,
    tell: async (offsets: readonly { partition: number; offset: bigint }[]) => {
      for (const { partition, offset } of offsets) told.push([partition, offset]);
    },
  } as unknown as MemberConsumer;
  const topics: KafkaTopics = new Map([['orders', { id: 't', partitions: 4 }]]);
  const onStartDeleted = vi.fn(() => void told.push('deleted'));
  const positions = await groupPositions(consumer, topics, { t: ['1', '90', '12'] }, onStartDeleted);
  expect(Object.fromEntries(positions)).toEqual({ 'orders/0': 7n, 'orders/1': 90n, 'orders/2': 40n, 'orders/3': 40n });
  // Partition 3 was made later: the group is told of it once something is taken.
  expect(told).toEqual([[1, 90n], [2, 40n], 'deleted']);
  expect(onStartDeleted.mock.calls).toEqual([[{ topic: 'orders', partition: 2, from: 12n, to: 40n }]]);
  expect(listOffsets.mock.calls).toEqual([[expect.objectContaining({ partitions: { orders: [1, 2, 3] } })]]);
});
