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

const KIB = 1024;
const MIB = 1024 * 1024;

interface Asked {
  readonly topics: readonly {
    readonly partitions: readonly { readonly partition: number; readonly partitionMaxBytes: number }[];
  }[];
  readonly maxBytes: number;
  readonly maxWaitTime: number;
}

/** What a producer made: batches of so many messages, and what each message takes of its batch, compressed. */
interface Made {
  readonly bodyBytes: number;
  readonly wireBytes: number;
  readonly messages: number;
}

/** A generation of so many partitions; the broker has no end of messages in all but the last, and gives what it is asked for. */
async function generationOf(partitions: number, intake: Intake, { bodyBytes, wireBytes, messages }: Made) {
  const asked: Asked[] = [];
  const reached: number[] = [];
  const partsOf = ({ topics }: Asked) => topics.flatMap((topic) => topic.partitions);
  const value = Buffer.alloc(bodyBytes);
  // 61 bytes are a batch's head, of which its length leaves out 12.
  const batch = {
    attributes: 0,
    length: messages * wireBytes + 49,
    records: Array.from({ length: messages }, () => ({ key: null, value, headers: [] })),
  };
  /** As a broker does: a batch at least, then as many as fit, of one partition after the other. */
  const give = (wanted: Asked) => {
    let left = wanted.maxBytes;
    let isFirst = true;
    const takes = batch.length + 12;
    return partsOf(wanted).map(({ partition, partitionMaxBytes }) => {
      const records: (typeof batch)[] = [];
      let ofOne = partitionMaxBytes;
      while (partition < partitions - 1 && (isFirst || Math.min(left, ofOne) >= takes)) {
        records.push(batch);
        isFirst = false;
        left -= takes;
        ofOne -= takes;
      }
      return { partitionIndex: partition, records };
    });
  };
  let given: ReturnType<typeof give> = [];
  const beneath = vi.spyOn(Consumer.prototype, 'fetch').mockImplementation(((
    wanted: Asked,
    answer: (error: null, response: object) => void,
  ) => {
    asked.push(wanted);
    given = give(wanted);
    answer(null, { responses: [{ topicId: 't', partitions: given }] });
  }) as never);
  onTestFinished(() => beneath.mockRestore());
  const stream = Object.assign(new EventEmitter(), {
    connections: Object.assign(new EventEmitter(), { [Symbol.iterator]: () => [].values() }),
    ...{ close: async () => {}, pause: vi.fn(), resume: vi.fn() },
  });
  const consumer = new CommittedConsumer(
    { clientId: 'c', groupId: 'g', bootstrapBrokers: ['127.0.0.1:1'] },
    { caution: new FetchCaution(), nameOf: (id) => id, onHeld: () => {}, onOutOfRange: () => {} },
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
      ...{ key: null, value },
    });
  const topics = Array.from({ length: partitions }, (_, partition) => ({
    topicId: 't',
    partitions: [{ partition, fetchOffset: 0n, currentLeaderEpoch: 0, lastFetchedEpoch: 0, partitionMaxBytes: MIB }],
  }));
  /** @returns which partitions were asked for */
  const fetch = () => {
    given = [];
    consumer.fetch({ node: 1, topics, maxBytes: 4 * MIB, maxWaitTime: 500 } as never, () => {});
    for (const { partitionIndex, records } of given)
      for (const { records: ofBatch } of records) for (const _ of ofBatch) receive(partitionIndex);
    return partsOf(asked.at(-1)!).map(({ partition }) => partition);
  };
  return { generation, stream, reached, receive, fetch, received: () => Number(offset) };
}

const SMALL = { bodyBytes: 100, wireBytes: 35, messages: 400 };

test.each<[string, number, Made]>([
  ['one partition', 2, { bodyBytes: 32 * KIB, wireBytes: 32 * KIB, messages: 1 }],
  ['ten partitions', 11, { bodyBytes: 32 * KIB, wireBytes: 32 * KIB, messages: 1 }],
  ['three hundred partitions', 301, { bodyBytes: 4 * KIB, wireBytes: 4 * KIB, messages: 1 }],
  ['one partition of small messages, compressed,', 2, SMALL],
  ['four partitions of small messages, compressed,', 5, SMALL],
])(
  'while nothing of %s can be stored, no more is fetched of them than there is room for, and the last is fetched and goes on',
  async (_, partitions, made) => {
    const end = Promise.withResolvers<void>();
    const last = `orders/${partitions - 1}`;
    let calls = 0;
    const intake: Intake = async (batch) => {
      // Over this each goes on by itself.
      if (calls++ === 0) throw new Refusal(429, 'rate_limited', 'not now', { retryAfterSeconds: 0 });
      if (batch.some(({ group }) => group !== last)) await end.promise;
    };
    const { generation, stream, reached, receive, fetch, received } = await generationOf(partitions, intake, made);
    for (let partition = 0; partition < partitions; partition++) receive(partition);
    for (let n = 0; n < 5; n++) await new Promise(setImmediate);
    for (let n = 0; n < 300; n++) expect(fetch()).toContain(partitions - 1);
    expect(stream.pause).not.toHaveBeenCalled();
    expect(received() * (512 + made.bodyBytes)).toBeLessThan(24 * MIB);
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
    return [wanted.topics.map(({ partitions }) => partitions[0]!.partition), wanted.maxWaitTime];
  };
  expect(limited(MIB)).toEqual([[0, 1, 2], 500]);
  expect(limited(5 * MIB)).toEqual([[1, 2, 0], 500]);
  expect(limited(5 * MIB + 1)).toEqual([[1, 2], 50]);
  expect(limited(9 * MIB)).toEqual([[2, 1], 50]);
  expect(limited(5 * MIB)).toEqual([[1, 2, 0], 500]);
});

/** A room of which so much is taken, all of it by partition 0, and the clock that it goes by. */
function roomOf(bytes: number, partitions = 2) {
  let nowMs = 0;
  const room = new FetchRoom(() => nowMs);
  room.watch({ bytes, bytesOf: (_, partition) => (partition === 0 ? bytes : 0) });
  const topics = Array.from({ length: partitions }, (_, partition) => ({
    topicId: 't',
    partitions: [{ partition, fetchOffset: 0n, partitionMaxBytes: MIB }],
  }));
  const limited = (node = 1) => room.limit({ node, topics, maxBytes: 4 * MIB, maxWaitTime: 500 });
  /** What is asked for of each partition, in bytes. */
  const most = (node = 1) => {
    const asked = limited(node).topics.map(
      ({ partitions: [one] }) => [one!.partition, one!.partitionMaxBytes] as const,
    );
    return asked.sort(([a], [b]) => a - b).map(([, bytes]) => bytes);
  };
  /** Each of these has given so many bytes, which take so many times as much in memory, and the others nothing. */
  const come = (
    ...given: readonly { readonly partition: number; readonly bytes: number; readonly times: number }[]
  ) => {
    const answered = given.map(({ partition, bytes, times }) => {
      const value = { length: bytes * times - 512 };
      const records = [{ attributes: 0, length: bytes - 12, records: [{ key: null, value, headers: [] }] }];
      return { partitionIndex: partition, records };
    });
    room.learn([{ topicId: 't', partitions: answered }], topics);
  };
  const busy = { partition: 0, bytes: MIB, times: 1 };
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { room, topics, limited, most, come, busy, pass };
}

test('of a partition of which nothing has come yet little is asked for; of one that gives what it is asked for ever more, and less where it takes more in memory', () => {
  const { most, come } = roomOf(0, 1);
  expect(most()).toEqual([MIB / 64]);
  come({ partition: 0, bytes: 16 * KIB, times: 2 });
  expect(most()).toEqual([MIB / 2]);
  come({ partition: 0, bytes: MIB / 2, times: 2 });
  expect(most()).toEqual([MIB]);
  come({ partition: 0, bytes: MIB, times: 16 });
  expect(most()).toEqual([MIB / 4]);
  // By and by less again.
  come({ partition: 0, bytes: MIB / 4, times: 1 });
  expect(most()).toEqual([MIB / 8]);
  for (let n = 0; n < 40; n++) come({ partition: 0, bytes: MIB / 4, times: 1 });
  expect(most()).toEqual([MIB]);
});

test('a busy partition is asked for as much as alone, however small and rare messages of another are', () => {
  const { limited, most, come, busy } = roomOf(0);
  for (let n = 0; n < 10; n++) come(busy);
  expect(most()[0]).toBe(MIB);
  for (let n = 0; n < 600; n++) {
    come(busy, { partition: 1, bytes: KIB, times: 2 });
    expect(most()[0]).toBe(MIB);
    expect(limited().maxBytes).toBeGreaterThan(MIB);
  }
});

test.each([477, 2_550])(
  'a batch that took %i times as much does not keep others from being fetched, nor its partition for good',
  (times) => {
    const { limited, most, come, busy } = roomOf(0);
    for (let n = 0; n < 10; n++) come(busy);
    come(busy, { partition: 1, bytes: 4 * KIB, times });
    for (let n = 0; n < 20; n++) {
      expect(most()[0]).toBe(MIB);
      expect(limited().maxBytes).toBeGreaterThan(MIB);
      come(busy);
    }
    expect(most()[1]).toBe(MIB / 64);
  },
);

test('however many partitions give whatever they are asked for, an answer takes what is free in memory at most', () => {
  const { most, come } = roomOf(0, 50);
  const parts = Array.from({ length: 50 }, (_, partition) => ({ partition, times: 1 + (partition % 20) }));
  let asked = most();
  for (let n = 0; n < 100; n++) {
    come(...parts.map((part) => ({ ...part, bytes: Math.max(1_024, asked[part.partition]!) })));
    asked = most();
    const taken = parts.reduce((sum, { partition, times }) => sum + asked[partition]! * times, 0);
    expect(taken).toBeLessThanOrEqual(8 * MIB);
    expect(taken).toBeGreaterThan(MIB);
  }
});

test.each([2, 100, 300, 1_000])(
  'of %i partitions, all but one of them silent, a message of each in its turn fits, and all that is asked for takes what is free in memory at most',
  (partitions) => {
    const { limited, most, come, busy } = roomOf(0, partitions);
    for (let n = 0; n < 10; n++) come(busy);
    const had = new Set<number>();
    // By turns, and not one more at a time.
    for (let n = 0; n < Math.max(2, partitions / 40); n++) {
      const [first, ...others] = most();
      expect(first).toBe(MIB);
      for (const [i, bytes] of others.entries()) if (bytes >= KIB) had.add(i);
      // Of a partition of which nothing has come a byte is taken for 64.
      const taken = MIB + others.reduce((sum, bytes) => sum + bytes * 64, 0);
      expect(taken).toBeLessThanOrEqual(8 * MIB);
      expect(Math.min(...others)).toBeGreaterThanOrEqual(1);
    }
    expect(had.size).toBe(partitions - 1);
    expect(limited().maxBytes).toBeLessThanOrEqual(4 * MIB);
  },
);

test('marks of transactions say nothing of what messages take', () => {
  const { room, topics, most, come } = roomOf(0);
  come({ partition: 0, bytes: 64 * KIB, times: 2 });
  const before = most();
  const mark = { attributes: 0x30, length: 66, records: [{ key: { length: 4 }, value: { length: 6 }, headers: [] }] };
  for (let n = 0; n < 5; n++) {
    room.learn([{ topicId: 't', partitions: [{ partitionIndex: 1, records: [mark] }] }], topics);
    come({ partition: 0, bytes: 64 * KIB, times: 2 });
  }
  expect(most()).toEqual(before);
});

test('brokers share what is free: answers of all of them may be on their way at once; one that is not asked any more has no share', () => {
  const { most, come, pass } = roomOf(0, 1);
  for (let n = 0; n < 10; n++) come({ partition: 0, bytes: MIB, times: 4 });
  expect(most(1)).toEqual([MIB]);
  expect(most(2)).toEqual([MIB / 2]);
  expect(most(1)).toEqual([MIB / 2]);
  // Partitions of the second are led by the first now.
  pass(59_000);
  expect(most(1)).toEqual([MIB / 2]);
  pass(2_000);
  expect(most(1)).toEqual([MIB]);
});

test('when the room is taken a batch is fetched of partitions in which nothing waits, and nothing when the reserve is, too', () => {
  const asked = (bytes: number) => {
    const { topics, maxBytes } = roomOf(bytes).limited();
    return [topics.map(({ partitions }) => partitions[0]!.partition), maxBytes];
  };
  expect(asked(16 * MIB)).toEqual([[1], 1]);
  expect(asked(24 * MIB)).toEqual([[1], 1]);
  expect(asked(24 * MIB + 1)).toEqual([[], 1]);
});
