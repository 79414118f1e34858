import { EventEmitter } from 'node:events';
import { MultipleErrors, ResponseError } from '@platformatic/kafka';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { type KafkaSource, sourceInput } from '../config/source-schema.ts';
import { Refusal } from '../domain/errors.ts';
import { CommittedConsumer } from './committed-consumer.ts';
import { FetchCaution } from './fetch-caution.ts';
import type { Intake } from './intake.ts';
import { KafkaSession, type SessionOptions } from './kafka-session.ts';
import { type KafkaTopics, TopicFinder } from './kafka-topics.ts';

const ID = '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0';
const source = sourceInput.parse({
  type: 'kafka',
  name: 'orders',
  connection: { brokers: ['127.0.0.1:1'] },
  consume: { topics: ['orders'], group: 'g' },
  mapping: { format: 'envelope' },
}) as KafkaSource;

const find = vi.spyOn(TopicFinder.prototype, 'find');
const orders: KafkaTopics = new Map([['orders', { id: ID, partitions: 1 }]]);

beforeEach(() => void find.mockReset().mockResolvedValue(orders));
afterEach(() => vi.useRealTimers());

/** A session of a consumer that is given the one partition of `orders`, and reads of it what the test says. */
function sessionOf(intake: Intake = async () => {}) {
  const stream = Object.assign(new EventEmitter(), {
    connections: Object.assign(new EventEmitter(), { [Symbol.iterator]: () => [].values() }),
    ...{ close: async () => {}, pause: () => {}, resume: () => {} },
  });
  const consumer = CommittedConsumer.prototype;
  let meet = () => {};
  let call = () => {};
  /** A stream is opened once this has ended. */
  let opening = async () => {};
  const join = async function (this: CommittedConsumer) {
    meet = () => this.emit('consumer:group:join', {} as never);
    call = () => this.emit('consumer:group:rebalance', {} as never);
    this.assignments = [{ topic: 'orders', partitions: [0] }];
    meet();
    return 'member';
  };
  const listed = new Map([['orders', [0n]]]);
  const fakes = [
    vi.spyOn(consumer, 'joinGroup').mockImplementation(join as never),
    vi.spyOn(consumer, 'listCommittedOffsets').mockResolvedValue(listed as never),
    vi.spyOn(consumer, 'listOffsets').mockResolvedValue(listed as never),
    vi.spyOn(consumer, 'consume').mockImplementation((async () => {
      await opening();
      return stream;
    }) as never),
    vi.spyOn(consumer, 'close').mockResolvedValue(undefined as never),
  ];
  onTestFinished(() => {
    for (const fake of fakes) fake.mockRestore();
  });
  const told = { looks: [] as unknown[], commits: [] as unknown[] };
  const commit = vi.spyOn(consumer, 'commit');
  const isActive = vi.spyOn(consumer, 'isActive').mockReturnValue(true);
  fakes.push(commit as never, isActive as never);
  const joined = Promise.withResolvers<void>();
  const options: SessionOptions = {
    ...{ source, clientId: 'posthorn', intake, caution: new FetchCaution(), recallStarts: (_, look) => look() },
    ...{ onFetched: () => {}, isHeld: () => false, onLag: () => {}, onTrouble: () => {}, onHeld: () => {} },
    onJoined: () => joined.resolve(),
    onCommitFailure: (error) => told.commits.push(error),
    onLookFailure: (error) => told.looks.push(error),
    onOutOfRange: () => {},
    onStartDeleted: () => {},
    onFault: () => {},
  };
  const session = new KafkaSession(options);
  const generations = () => stream.listenerCount('data');
  const receive = (offset: bigint, partition = 0) =>
    stream.emit('data', {
      ...{ topic: 'orders', partition, offset, leaderEpoch: 0, timestamp: 0n, headers: new Map() },
      ...{ key: null, value: Buffer.from('{}') },
    });
  const group = { meet: () => meet(), call: () => call() };
  const openAfter = (next: typeof opening) => {
    opening = next;
  };
  const fail = (error: Error) => stream.emit('error', error);
  return { session, told, joined: joined.promise, receive, fail, commit, isActive, ...group, openAfter, generations };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('a look for topics that fails is told, and tried again: the membership goes on', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const { session, told, joined } = sessionOf();
  const abort = new AbortController();
  const ran = session.run(abort.signal);
  await joined;
  const away = new Error('A partition has no leader.');
  find.mockRejectedValue(away);
  await vi.advanceTimersByTimeAsync(30_000);
  expect(told.looks).toEqual([away, away]);
  // And the next that says something is heard.
  find.mockResolvedValue(new Map([['orders', { id: ID, partitions: 2 }]]));
  await vi.advanceTimersByTimeAsync(15_000);
  await ran;
  expect(told.looks).toHaveLength(2);
});

test('the first look fails for all, and so does one of a session without a topic, which nobody else would tell of', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const away = new Error('away');
  find.mockRejectedValue(away);
  await expect(sessionOf().session.run(new AbortController().signal)).rejects.toBe(away);
  find.mockResolvedValue(new Map());
  const { session, joined } = sessionOf();
  const ran = session.run(new AbortController().signal);
  const failed = expect(ran).rejects.toBe(away);
  await joined;
  find.mockRejectedValue(away);
  await vi.advanceTimersByTimeAsync(15_000);
  await failed;
});

test('a commit that fails is told, and the membership goes on as long as it is one', async () => {
  const { session, told, joined, receive, commit, isActive } = sessionOf();
  const abort = new AbortController();
  const ran = session.run(abort.signal);
  await joined;
  const slow = new Error('The coordinator did not answer.');
  commit.mockRejectedValueOnce(slow as never).mockResolvedValue(undefined as never);
  receive(0n);
  await vi.waitUntil(() => told.commits.length === 1);
  receive(1n);
  await vi.waitUntil(() => commit.mock.calls.length === 2);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const failNext = async (offset: bigint, error: Error) => {
    commit.mockRejectedValueOnce(error as never);
    receive(offset);
    for (let turns = 0; turns < 100 && !told.commits.includes(error); turns++) await turn();
  };
  // While it joins anew it is no member, and is one again.
  const moved = new Error('This is not the coordinator.');
  isActive.mockReturnValue(false);
  await failNext(2n, moved);
  isActive.mockReturnValue(true);
  await vi.advanceTimersByTimeAsync(60_000);
  // The client has tried to join anew, and failed: it sends no heartbeat from then on.
  const gone = new Error('joinGroup failed 4 times.');
  isActive.mockReturnValue(false);
  await failNext(3n, gone);
  const ended = expect(ran).rejects.toBe(gone);
  await vi.advanceTimersByTimeAsync(60_000);
  await ended;
  expect(told.commits).toEqual([slow, moved, gone]);
});

test('a member that has met since is not doubted, though it is at the next meeting when the time is over', async () => {
  const { session, told, joined, receive, commit, isActive } = sessionOf();
  const abort = new AbortController();
  const onEnd = vi.fn();
  const ran = session.run(abort.signal).finally(onEnd);
  await joined;
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  isActive.mockReturnValue(false);
  commit.mockRejectedValueOnce(new Error('The group is meeting.') as never).mockResolvedValue(undefined as never);
  receive(0n);
  for (let turns = 0; turns < 100 && told.commits.length === 0; turns++) await turn();
  expect(told.commits).toHaveLength(1);
  (commit.mock.contexts[0] as CommittedConsumer).emit('consumer:group:join', {} as never);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(onEnd).not.toHaveBeenCalled();
  abort.abort();
  await ran;
});

test('what could not be told of a partition is told once more when the group meets or the end is asked for, and not after the session broke', async () => {
  const ends: readonly (readonly [
    commits: number,
    end: (abort: AbortController, consumer: CommittedConsumer) => void,
  ])[] = [
    [2, (abort) => abort.abort()],
    [2, (_, consumer) => consumer.emit('consumer:group:join', {} as never)],
    [1, (_, consumer) => consumer.emit('error', new Error('broken'))],
  ];
  for (const [commits, end] of ends) {
    const { session, told, joined, receive, commit } = sessionOf();
    const abort = new AbortController();
    const ran = session.run(abort.signal).catch(() => {});
    await joined;
    commit.mockReset().mockRejectedValueOnce(new Error('away') as never);
    commit.mockResolvedValue(undefined as never);
    receive(0n);
    await vi.waitUntil(() => told.commits.length === 1);
    end(abort, commit.mock.contexts[0] as CommittedConsumer);
    await vi.waitUntil(() => commit.mock.calls.length === commits);
    // What broke has ended by itself.
    if (commits === 2) abort.abort();
    await ran;
    expect(commit).toHaveBeenCalledTimes(commits);
  }
});

test('a session that is told to end before it runs asks nothing of the broker', async () => {
  const { session } = sessionOf();
  await session.run(AbortSignal.abort());
  expect(find).not.toHaveBeenCalled();
});

test('a partition that goes on by itself does so too once the group has met anew', async () => {
  const given: (readonly string[])[] = [];
  const intake: Intake = async (batch) => {
    // Over this it goes on by itself.
    if (given.push(batch.map(({ position }) => position)) === 1)
      throw new Refusal(429, 'rate_limited', 'not now', { retryAfterSeconds: 0 });
  };
  const { session, joined, receive, commit, meet, generations } = sessionOf(intake);
  commit.mockResolvedValue(undefined as never);
  const abort = new AbortController();
  const ran = session.run(abort.signal);
  await joined;
  receive(0n);
  await vi.waitUntil(() => given.length === 2);
  meet();
  await vi.waitUntil(() => generations() === 2);
  for (const partition of [0, 1]) receive(1n, partition);
  await vi.waitUntil(() => given.flat().includes('orders/1/1'));
  expect(given.slice(2)).toEqual([['orders/0/1'], ['orders/1/1']]);
  abort.abort();
  await ran;
});

test('what the group calls to a meeting while its stream is being opened begins nothing before it has met, though the source is resumed', async () => {
  const given: string[] = [];
  const intake: Intake = async (batch) => void given.push(...batch.map(({ position }) => position));
  const { session, receive, commit, meet, call, openAfter, generations } = sessionOf(intake);
  commit.mockResolvedValue(undefined as never);
  const opened = Promise.withResolvers<void>();
  const isOpening = Promise.withResolvers<void>();
  openAfter(() => {
    isOpening.resolve();
    return opened.promise;
  });
  const abort = new AbortController();
  const ran = session.run(abort.signal);
  await isOpening.promise;
  call();
  opened.resolve();
  await vi.waitUntil(() => generations() === 1);
  session.hold(false);
  receive(0n);
  for (let turns = 0; turns < 20; turns++) await turn();
  expect(given).toEqual([]);
  meet();
  await vi.waitUntil(() => generations() === 2);
  receive(1n);
  await vi.waitUntil(() => given.length > 0);
  expect(given).toEqual(['orders/0/1']);
  abort.abort();
  await ran;
});

/** As a broker answers that has no topic of this id, after a failure of another kind; when it was tried again. */
function unknown(topicId: string): Error {
  const partitions = [{ partitionIndex: 0, errorCode: 100 }];
  const response = { errorCode: 0, responses: [{ topicId, partitions }] };
  const error = new ResponseError(1, 17, { '/responses/0/partitions/0': [100, null] }, response as never);
  return new MultipleErrors('fetch failed 2 times.', [new Error('away'), error]);
}

const ANOTHER_ID = ID.replace('0f', '1f');

test.each<[string, number, (fail: (error: Error) => void) => unknown]>([
  [
    'was made anew',
    0,
    () => {
      find.mockResolvedValue(new Map([['orders', { id: ANOTHER_ID, partitions: 1 }]]));
      return vi.advanceTimersByTimeAsync(15_000);
    },
  ],
  [
    'is not there any more',
    0,
    () => {
      find.mockResolvedValue(new Map());
      return vi.advanceTimersByTimeAsync(15_000);
    },
  ],
  [
    'has another partition now',
    1,
    () => {
      find.mockResolvedValue(new Map([['orders', { id: ID, partitions: 2 }]]));
      return vi.advanceTimersByTimeAsync(15_000);
    },
  ],
  ['is not known to its broker', 0, (fail) => fail(unknown(ID))],
  ['is known, and another is not,', 1, (fail) => fail(unknown(ANOTHER_ID))],
])(
  'of what is under way while its topic %s the group is told %i times: what bears its name next begins anew',
  async (_, commits, end) => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const isUnderWay = Promise.withResolvers<void>();
    const taken = Promise.withResolvers<void>();
    const { session, joined, receive, fail, commit } = sessionOf(() => {
      isUnderWay.resolve();
      return taken.promise;
    });
    commit.mockReset().mockResolvedValue(undefined as never);
    const ran = session.run(new AbortController().signal).catch(() => {});
    await joined;
    receive(0n);
    await isUnderWay.promise;
    await end(fail);
    taken.resolve();
    await ran;
    expect(commit).toHaveBeenCalledTimes(commits);
  },
);
