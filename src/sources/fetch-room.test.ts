import { EventEmitter } from 'node:events';
import { Consumer } from '@platformatic/kafka';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Refusal } from '../domain/errors.ts';
import { CommittedConsumer } from './committed-consumer.ts';
import { FetchCaution } from './fetch-caution.ts';
import { FetchRoom } from './fetch-room.ts';
import type { Intake } from './intake.ts';
import { KafkaGeneration } from './kafka-generation.ts';
import { Standings } from './standings.ts';

const MIB = 1024 * 1024;

interface Asked {
  readonly topics: readonly { readonly partitions: readonly { readonly partition: number }[] }[];
  readonly maxBytes: number;
  readonly maxWaitTime: number;
}

/** A generation of so many partitions; the broker has no end of messages in all but the last, and gives what it is asked for. */
async function generationOf(partitions: number, intake: Intake, bodyBytes: number) {
  const asked: Asked[] = [];
  const reached: number[] = [];
  const partsOf = ({ topics }: Asked) => topics.flatMap((topic) => topic.partitions.map(({ partition }) => partition));
  const beneath = vi.spyOn(Consumer.prototype, 'fetch').mockImplementation(((wanted: Asked, answer: () => void) => {
    asked.push(wanted);
    answer();
  }) as never);
  onTestFinished(() => beneath.mockRestore());
  const stream = Object.assign(new EventEmitter(), {
    connections: Object.assign(new EventEmitter(), { [Symbol.iterator]: () => [].values() }),
    ...{ close: async () => {}, pause: vi.fn(), resume: vi.fn() },
  });
  const consumer = new CommittedConsumer(
    { clientId: 'c', groupId: 'g', bootstrapBrokers: ['127.0.0.1:1'] },
    { caution: new FetchCaution(), nameOf: (id) => id, onHeld: () => {} },
    () => {},
  );
  vi.spyOn(consumer, 'consume').mockResolvedValue(stream as never);
  vi.spyOn(consumer, 'tell').mockResolvedValue();
  const generation = new KafkaGeneration({
    onOffset: ({ partition }) => reached.push(partition),
    ...{
      consumer,
      topics: new Map([['orders', { id: 't', partitions }]]),
      intake,
      isHeld: false,
      standings: new Standings(),
    },
    ...{ onTrouble: () => {}, onCommitFailure: () => {}, onFault: () => {}, onBroken: () => {} },
  });
  await generation.open();
  let offset = 0n;
  const receive = (partition: number) =>
    stream.emit('data', {
      ...{ topic: 'orders', partition, offset: offset++, leaderEpoch: 0, timestamp: 0n, headers: new Map() },
      ...{ key: null, value: Buffer.alloc(bodyBytes) },
    });
  const topics = Array.from({ length: partitions }, (_, partition) => ({
    topicId: 't',
    partitions: [{ partition, fetchOffset: 0n, currentLeaderEpoch: 0, lastFetchedEpoch: 0, partitionMaxBytes: MIB }],
  }));
  /** @returns which partitions were asked for */
  const fetch = () => {
    consumer.fetch({ node: 1, topics, maxBytes: 4 * MIB, maxWaitTime: 500 } as never, () => {});
    const last = asked.at(-1)!;
    // As a broker does: a message at least, then as many as fit, of one partition after the other.
    let left = last.maxBytes;
    for (const partition of partsOf(last).filter((one) => one < partitions - 1))
      for (let ofOne = MIB; ofOne > 0 && left > 0; ofOne -= bodyBytes) {
        receive(partition);
        left -= bodyBytes;
      }
    return partsOf(last);
  };
  return { generation, stream, reached, receive, fetch };
}

test.each([
  ['one partition', 2, 32],
  ['ten partitions', 11, 32],
  ['three hundred partitions', 301, 4],
])(
  'while nothing of %s can be stored, no more is fetched of them than there is room for, and the last is fetched and goes on',
  async (_, partitions, bodyKib) => {
    const end = Promise.withResolvers<void>();
    const last = `orders/${partitions - 1}`;
    let calls = 0;
    const intake: Intake = async (batch) => {
      // Over this each goes on by itself.
      if (calls++ === 0) throw new Refusal(429, 'rate_limited', 'not now', { retryAfterSeconds: 0 });
      if (batch.some(({ group }) => group !== last)) await end.promise;
    };
    const { generation, stream, reached, receive, fetch } = await generationOf(partitions, intake, bodyKib * 1024);
    for (let partition = 0; partition < partitions; partition++) receive(partition);
    for (let n = 0; n < 5; n++) await new Promise(setImmediate);
    for (let n = 0; n < 300; n++) expect(fetch()).toContain(partitions - 1);
    expect(stream.pause).not.toHaveBeenCalled();
    receive(partitions - 1);
    for (let n = 0; n < 5; n++) await new Promise(setImmediate);
    expect(reached).toEqual([partitions - 1, partitions - 1]);
    end.resolve();
    await generation.close();
  },
);

test('a partition with more than half of what is free is left out until less of it waits; the others are asked for meanwhile, each first in its turn, with a shorter wait', () => {
  const topics = [0, 1, 2].map((partition) => ({ topicId: 't', partitions: [{ partition, fetchOffset: 0n }] }));
  const room = new FetchRoom();
  const limited = (ofFirst: number) => {
    room.watch({ bytes: ofFirst + MIB, bytesOf: (_, partition) => (partition === 0 ? ofFirst : MIB / 2) });
    const wanted = room.limit({ topics, maxBytes: 4 * MIB, maxWaitTime: 500 });
    return [wanted.topics.map(({ partitions }) => partitions[0]!.partition), wanted.maxBytes, wanted.maxWaitTime];
  };
  expect(limited(MIB)).toEqual([[0, 1, 2], 4 * MIB, 500]);
  expect(limited(5 * MIB)).toEqual([[0, 1, 2], 4 * MIB, 500]);
  expect(limited(5 * MIB + 1)).toEqual([[2, 1], 4 * MIB, 50]);
  expect(limited(9 * MIB)).toEqual([[1, 2], 3 * MIB, 50]);
  expect(limited(5 * MIB)).toEqual([[0, 1, 2], 4 * MIB, 500]);
});
