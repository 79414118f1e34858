import { Consumer, MultipleErrors, ResponseError } from '@platformatic/kafka';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { InflationError } from '../brokers/guard-inflation.ts';
import { CarefulConsumer } from './careful-consumer.ts';
import { FetchCaution } from './fetch-caution.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

type Fetch = (
  options: { readonly topics?: readonly unknown[] },
  callback: (error: Error | null, response?: unknown) => void,
) => void;

/** What each fetch of the client beneath is asked for, and answers. */
function stage(answers: readonly (Error | object)[], place = 3n) {
  const left = [...answers];
  const beneath = vi.fn<Fetch>((_options, callback) => {
    const next = left.shift()!;
    if (next instanceof Error) callback(next);
    else callback(null, next);
  });
  vi.spyOn(Consumer.prototype, 'fetch').mockImplementation(beneath as never);
  const onHeld = vi.fn();
  const onOutOfRange = vi.fn();
  const careful = { caution: new FetchCaution(), nameOf: () => 'orders', onHeld, onOutOfRange };
  const options = { clientId: 'test', groupId: 'test', bootstrapBrokers: ['127.0.0.1:1'] };
  const consumer = new CarefulConsumer(options, careful);
  const wanted = [0, 1].map((partition) => ({ topicId: 't', partitions: [partitionAt(partition, place)] }));
  const answered: unknown[] = [];
  const ask = () =>
    consumer.fetch({ node: 1, topics: wanted, maxBytes: 1_000, maxWaitTime: 500 }, ((...answer: unknown[]) =>
      answered.push(answer)) as never);
  /** Waits as long as it takes at the most. */
  const fetch = async () => {
    ask();
    await vi.advanceTimersByTimeAsync(1_000);
    return answered.at(-1);
  };
  const limits = () => beneath.mock.calls.map(([asked]) => asked);
  return { consumer, ask, fetch, limits, answered, onHeld, onOutOfRange };
}

const partitionAt = (partition: number, fetchOffset: bigint) => ({
  partition,
  fetchOffset,
  currentLeaderEpoch: 0,
  lastFetchedEpoch: 0,
  partitionMaxBytes: 1_000,
});

const nothing = [null, expect.objectContaining({ responses: [] })];
const some = { responses: [{ topicId: 't', partitions: [] }] };

test('an answer that is too large is as if nothing had come, a second later, and less is asked for; the membership goes on', async () => {
  const { ask, fetch, limits, answered, onHeld } = stage([new InflationError(), new InflationError(), some]);
  ask();
  await vi.advanceTimersByTimeAsync(999);
  expect(answered).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(answered).toEqual([nothing]);
  expect(await fetch()).toEqual(nothing);
  expect(await fetch()).toEqual([null, some]);
  expect(limits()).toMatchObject([
    { maxBytes: 1_000, maxWaitTime: 500 },
    { maxBytes: 1, maxWaitTime: 500 },
    { maxBytes: 1, maxWaitTime: 0, topics: [{ partitions: [{ partition: 0 }] }] },
  ]);
  expect(onHeld).not.toHaveBeenCalled();
});

test('where all is held nobody is asked, and the answer takes as long as one without messages', async () => {
  const tooLarge = Array.from({ length: 5 }, () => new InflationError());
  const { ask, fetch, limits, answered, onHeld } = stage(tooLarge);
  for (let i = 0; i < 5; i++) await fetch();
  expect(onHeld).toHaveBeenCalledTimes(2);
  expect(limits()).toHaveLength(5);
  ask();
  await vi.advanceTimersByTimeAsync(499);
  expect(answered).toHaveLength(5);
  await vi.advanceTimersByTimeAsync(1);
  expect(answered.at(-1)).toEqual(nothing);
  expect(limits()).toHaveLength(5);
});

/** As a broker answers, of which partition 0 has no such offset; where its log is it does not say. @param other what is wrong with partition 1 */
const strayed = (other = 0) => answering(1, other);
/** Kafka's number of FENCED_LEADER_EPOCH, over which a fetch is tried again. */
const FENCED = 74;
const answering = (...codes: readonly number[]) => {
  const partitions = codes.map((errorCode, partitionIndex) => ({ partitionIndex, errorCode, logStartOffset: -1n }));
  const wrong = partitions.filter(({ errorCode }) => errorCode !== 0);
  const errors = wrong.map((one) => [`/responses/0/partitions/${one.partitionIndex}`, [one.errorCode, null]]);
  const response = { errorCode: 0, responses: [{ topicId: 't', partitions }] };
  const error: unknown = new ResponseError(1, 17, Object.fromEntries(errors), response as never);
  return error as Error & { readonly response: typeof response };
};
const ofPartition0 = (offset: bigint) => new Map([['orders', [offset]]]) as never;

test('of a partition whose next messages were deleted it is told from where to where, and the client goes on there', async () => {
  const error = strayed();
  const { consumer, fetch, onHeld, onOutOfRange } = stage([error]);
  vi.spyOn(consumer, 'listOffsets').mockImplementation((async ({ timestamp }: { timestamp: bigint }) =>
    ofPartition0(timestamp === -2n ? 40n : 90n)) as never);
  expect(await fetch()).toEqual([error]);
  expect(error.response.responses[0]!.partitions).toMatchObject([{ errorCode: 1, logStartOffset: 40n }, {}]);
  expect(onOutOfRange.mock.calls).toEqual([[{ topic: 'orders', partition: 0, reason: 'deleted', from: 3n, to: 40n }]]);
  expect(onHeld).not.toHaveBeenCalled();
});

test('a partition that ends before its place is told of once and asked for no more; the others are', async () => {
  const { consumer, fetch, limits, onHeld, onOutOfRange } = stage([strayed(), some, some]);
  vi.spyOn(consumer, 'listOffsets').mockImplementation((async ({ timestamp }: { timestamp: bigint }) =>
    ofPartition0(timestamp === -2n ? 0n : 2n)) as never);
  expect(await fetch()).toEqual(nothing);
  // Not even after the time after which what is too large is tried again.
  await vi.advanceTimersByTimeAsync(3_600_000);
  for (let n = 0; n < 2; n++) expect(await fetch()).toEqual([null, some]);
  expect(limits()[1]).toMatchObject({ topics: [{ partitions: [{ partition: 1 }] }] });
  expect(limits()[1]!.topics).toHaveLength(1);
  expect(onOutOfRange.mock.calls).toEqual([[{ topic: 'orders', partition: 0, reason: 'cut_off', from: 3n, to: 2n }]]);
  expect(onHeld).toHaveBeenCalledTimes(1);
});

test.each([3n, 9n])(
  'a partition that has grown up to its place or past it, to %i, by the time it is looked at was cut off all the same: it is held, told of once and asked for no more',
  async (end) => {
    const { consumer, fetch, limits, onHeld, onOutOfRange } = stage([strayed(), some]);
    vi.spyOn(consumer, 'listOffsets').mockImplementation((async ({ timestamp }: { timestamp: bigint }) =>
      ofPartition0(timestamp === -2n ? 0n : end)) as never);
    expect(await fetch()).toEqual(nothing);
    expect(await fetch()).toEqual([null, some]);
    expect(limits()[1]!.topics).toMatchObject([{ partitions: [{ partition: 1 }] }]);
    // Where it ended nobody knows any more: before its place.
    const found = { topic: 'orders', partition: 0, reason: 'cut_off', from: 3n, to: 2n, grownTo: end };
    expect(onOutOfRange.mock.calls).toEqual([[found]]);
    expect(onHeld.mock.calls).toMatchObject([[{ message: expect.stringContaining(`has grown to ${end} since`) }]]);
  },
);

test('the first place of all, of which a broker says that it is not there, is asked for again a second later', async () => {
  const { consumer, fetch, limits, onHeld, onOutOfRange } = stage([strayed(), some], 0n);
  vi.spyOn(consumer, 'listOffsets').mockResolvedValue(ofPartition0(0n));
  expect(await fetch()).toEqual(nothing);
  expect(await fetch()).toEqual([null, some]);
  expect(limits()[1]!.topics).toHaveLength(2);
  expect([onHeld, onOutOfRange].flatMap(({ mock }) => mock.calls)).toEqual([]);
});

test('where nobody can look whether a place is there the membership ends', async () => {
  const { consumer, fetch, onHeld, onOutOfRange } = stage([strayed()]);
  const away = new Error('away');
  vi.spyOn(consumer, 'listOffsets').mockRejectedValue(away);
  expect(await fetch()).toEqual([away]);
  expect([onHeld, onOutOfRange].flatMap(({ mock }) => mock.calls)).toEqual([]);
});

test('a place that is not there is seen behind failures that were tried again, and the client is told of it alone', async () => {
  const [fenced, error] = [answering(FENCED, 0), strayed()];
  const twice = new MultipleErrors('fetch failed 2 times.', [fenced, error]);
  const away = new MultipleErrors('fetch failed 2 times.', [fenced, new Error('away')]);
  const { consumer, fetch, onOutOfRange } = stage([twice, away]);
  vi.spyOn(consumer, 'listOffsets').mockImplementation((async ({ timestamp }: { timestamp: bigint }) =>
    ofPartition0(timestamp === -2n ? 40n : 90n)) as never);
  const [told] = (await fetch()) as unknown[];
  expect(told).toBe(error);
  expect(error.response.responses[0]!.partitions[0]).toMatchObject({ errorCode: 1, logStartOffset: 40n });
  expect(onOutOfRange).toHaveBeenCalledTimes(1);
  expect(((await fetch()) as unknown[])[0]).toBe(away);
});

test('where something else is wrong with the answer, a partition that was cut off is held all the same before the membership ends; what was deleted is told by the next', async () => {
  const [cutOff, deleted] = [strayed(FENCED), strayed(FENCED)];
  const { consumer, fetch, limits, onHeld, onOutOfRange } = stage([deleted, cutOff, some]);
  const look = vi.spyOn(consumer, 'listOffsets').mockResolvedValue(ofPartition0(90n));
  expect(((await fetch()) as unknown[])[0]).toBe(deleted);
  look.mockImplementation((async ({ timestamp }: { timestamp: bigint }) =>
    ofPartition0(timestamp === -2n ? 0n : 2n)) as never);
  expect(((await fetch()) as unknown[])[0]).toBe(cutOff);
  expect(onOutOfRange.mock.calls).toMatchObject([[{ partition: 0, reason: 'cut_off' }]]);
  expect(onHeld).toHaveBeenCalledTimes(1);
  await fetch();
  expect(limits()[2]!.topics).toMatchObject([{ partitions: [{ partition: 1 }] }]);
});

test('it is found behind failures that were tried again, and what is none stays what it is', async () => {
  const away = new Error('away');
  const { fetch } = stage([Object.assign(new Error('twice'), { errors: [away, new InflationError()] }), away]);
  expect(await fetch()).toEqual(nothing);
  expect((await fetch()) as unknown[]).toEqual([away, undefined]);
});
