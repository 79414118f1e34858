import {
  Consumer,
  kGetApi,
  kGetBootstrapConnection,
  kGetConnection,
  kMetadata,
  ProtocolError,
} from '@platformatic/kafka';
import { expect, onTestFinished, test, vi } from 'vitest';
import { CommittedConsumer } from './committed-consumer.ts';
import { FetchCaution } from './fetch-caution.ts';
import { KafkaGeneration } from './kafka-generation.ts';
import { Standings } from './standings.ts';

/** What the group says to a member that tells of an offset, and what it is given once it has joined anew. */
interface Meeting {
  readonly refusal: 'UNKNOWN_MEMBER_ID' | 'ILLEGAL_GENERATION' | 'REBALANCE_IN_PROGRESS';
  readonly generationId: number;
  readonly partitions: readonly number[];
}

type Answer = (error: Error | null, response?: unknown) => void;
type Topics = readonly { partitions: readonly { partitionIndex: number; committedOffset: bigint }[] }[];

/** ConsumerProtocolAssignment, version 0. */
function assignmentOf(partitions: readonly number[]): Buffer {
  const numbers = Buffer.alloc(4 * (partitions.length + 1));
  for (const [index, number] of [partitions.length, ...partitions].entries()) numbers.writeInt32BE(number, 4 * index);
  return Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 1, 0, 6]), Buffer.from('orders'), numbers, Buffer.alloc(4, 0xff)]);
}

/** A group of two members, one of which is a consumer of ours; the other has come to 500 in partition 0 by the time they meet again. */
function groupOf(...meetings: readonly Meeting[]) {
  const left = [...meetings];
  const committed = new Map<number, bigint>();
  let now: Pick<Meeting, 'generationId' | 'partitions'> = { generationId: 7, partitions: [0] };
  let members = 1;
  /** Whoever is at a meeting learns what it was given once this has come. */
  let isDecided = Promise.resolve();
  const beat = Promise.withResolvers<Answer>();
  const calls: Readonly<Record<string, (...parameters: never[]) => void>> = {
    FindCoordinator: (...parameters: unknown[]) => {
      const coordinators = [{ key: 'g', nodeId: 1, host: 'h', port: 1, errorCode: 0 }];
      (parameters.at(-1) as Answer)(null, { coordinators });
    },
    JoinGroup: (...parameters: unknown[]) => {
      const memberId = (parameters[4] as string) || `m${members++}`;
      const { generationId } = now;
      (parameters.at(-1) as Answer)(null, { memberId, generationId, leader: '-', protocolName: 'range', members: [] });
    },
    SyncGroup: (...parameters: unknown[]) =>
      void isDecided.then(() => (parameters.at(-1) as Answer)(null, { assignment: assignmentOf(now.partitions) })),
    Heartbeat: (...parameters: unknown[]) => beat.resolve(parameters.at(-1) as Answer),
    LeaveGroup: (...parameters: unknown[]) => (parameters.at(-1) as Answer)(null, {}),
    OffsetCommit: (...[, , , , , topics, answer]: [0, 0, 0, 0, 0, Topics, Answer]) => {
      const next = left.shift();
      if (next === undefined) {
        for (const { partitions } of topics)
          for (const { partitionIndex, committedOffset } of partitions) committed.set(partitionIndex, committedOffset);
        return answer(null, {});
      }
      now = next;
      if (next.refusal !== 'REBALANCE_IN_PROGRESS') committed.set(0, 500n);
      answer(new ProtocolError(next.refusal));
    },
  };
  /** With the next heartbeat the member is called to a meeting. @returns what lets that come to its end */
  const call = (meeting: typeof now) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    [now, isDecided] = [meeting, promise];
    void beat.promise.then((answer) => answer(new ProtocolError('REBALANCE_IN_PROGRESS')));
    return resolve;
  };
  return { calls, committed, call };
}

/** Beneath ours, the client's own: only what it would say to a broker is answered here. */
async function memberOf(
  { calls }: Pick<ReturnType<typeof groupOf>, 'calls'>,
  { heartbeatInterval = 2_000, onRetry = () => {} } = {},
): Promise<CommittedConsumer> {
  const brokers = new Map([[1, { host: 'h', port: 1 }]]);
  const topics = new Map([['orders', { id: 't', partitionsCount: 2, partitions: [] }]]);
  const beneath = Consumer.prototype as unknown as Record<symbol, (...parameters: never[]) => void>;
  const fakes = [
    vi.spyOn(beneath, kMetadata).mockImplementation((_: unknown, answer: Answer) => answer(null, { brokers, topics })),
    vi.spyOn(beneath, kGetConnection).mockImplementation((_: unknown, answer: Answer) => answer(null, {})),
    vi.spyOn(beneath, kGetBootstrapConnection).mockImplementation((answer: Answer) => answer(null, {})),
    vi.spyOn(beneath, kGetApi).mockImplementation((name: string, answer: Answer) => answer(null, calls[name])),
  ];
  const consumer = new CommittedConsumer(
    {
      ...{
        clientId: 'c',
        bootstrapBrokers: ['127.0.0.1:1'],
        groupId: 'g',
        autocommit: false,
        retries: 3,
        retryDelay: () => {
          onRetry();
          return 1;
        },
      },
      ...{ sessionTimeout: 10_000, rebalanceTimeout: 30_000, heartbeatInterval },
    },
    { caution: new FetchCaution(), nameOf: (id) => id, onHeld: () => {}, onOutOfRange: () => {} },
    () => {},
  );
  onTestFinished(async () => {
    await consumer.close(true);
    for (const fake of fakes) fake.mockRestore();
  });
  consumer.topics.trackAll('orders');
  await consumer.joinGroup({});
  return consumer;
}

const MEETING = 'The group is meeting: what it gives to this member is not known yet.';
const REACHED = { topic: 'orders', partition: 0, offset: 42n, leaderEpoch: 0 };

function generationOf(consumer: CommittedConsumer, onCommitFailure: (error: unknown) => void): KafkaGeneration {
  return new KafkaGeneration({
    ...{
      consumer,
      topics: new Map(),
      intake: async () => {},
      isHeld: false,
      standings: new Standings(),
      onCommitFailure,
    },
    ...{ onOffset: () => {}, onTrouble: () => {}, onFault: () => {}, onBroken: () => {} },
  });
}

/** How far partition 0 is for the group after one of its members has told it 42, and has been to these meetings over that. */
async function committedAfter(...meetings: readonly Meeting[]): Promise<bigint | undefined> {
  const group = groupOf(...meetings);
  const consumer = await memberOf(group);
  const onCommitFailure = vi.fn();
  const generation = generationOf(consumer, onCommitFailure);
  generation.reach(REACHED);
  await vi.waitUntil(() => group.committed.size > 0 || consumer.generationId !== 7);
  await generation.close();
  expect(onCommitFailure).not.toHaveBeenCalled();
  return group.committed.get(0);
}

test('a member that is told to meet anew, and keeps the partition, tells of it afterwards', async () => {
  expect(await committedAfter()).toBe(42n);
  const refusal = 'REBALANCE_IN_PROGRESS';
  expect(await committedAfter({ refusal, generationId: 8, partitions: [0, 1] })).toBe(42n);
});

test.each<[string, Meeting]>([
  ['stays with', { refusal: 'UNKNOWN_MEMBER_ID', generationId: 9, partitions: [1] }],
  ['came back from', { refusal: 'UNKNOWN_MEMBER_ID', generationId: 9, partitions: [0] }],
  // The member was not at the meeting between.
  ['may have come back from', { refusal: 'ILLEGAL_GENERATION', generationId: 9, partitions: [0] }],
])(
  'a partition that %s another member is not set back to where it was before, though the client joins anew by itself',
  async (_, meeting) => {
    expect(await committedAfter(meeting)).toBe(500n);
  },
);

test('a partition that goes to another member is that one’s to tell of', async () => {
  const refusal = 'REBALANCE_IN_PROGRESS';
  expect(await committedAfter({ refusal, generationId: 8, partitions: [1] })).toBeUndefined();
});

/** A member of generation 7 that is at the meeting of generation 8 and has not heard yet what it is given there. */
async function joiningMember(partitions: readonly number[]) {
  const { committed, call, ...group } = groupOf();
  const onRetry = vi.fn();
  const consumer = await memberOf(group, { heartbeatInterval: 1, onRetry });
  const decide = call({ generationId: 8, partitions });
  await vi.waitUntil(() => consumer.generationId === 8);
  return { consumer, committed, decide, onRetry };
}

test.each<[string, readonly number[], bigint | undefined]>([
  ['keeps it', [0, 1], 42n],
  ['does not', [1], undefined],
])(
  'what a member tells of a partition while its group meets waits for the meeting, and is told if the member %s',
  async (_, partitions, expected) => {
    const { consumer, committed, decide, onRetry } = await joiningMember(partitions);
    onRetry.mockImplementation(decide);
    await consumer.tell([REACHED], consumer.membership);
    expect(consumer.membership).toMatchObject({ generationId: 8 });
    expect(committed.get(0)).toBe(expected);
  },
);

test('what could not be told before the meeting came to its end is told then', async () => {
  const { consumer, committed, decide } = await joiningMember([0]);
  const failure = Promise.withResolvers<unknown>();
  const generation = generationOf(consumer, failure.resolve);
  generation.reach(REACHED);
  expect(await failure.promise).toMatchObject({ errors: expect.arrayContaining([new Error(MEETING)]) });
  const met = new Promise((resolve) => consumer.once('consumer:group:join', resolve));
  decide();
  await met;
  await generation.close();
  expect(committed.get(0)).toBe(42n);
});
