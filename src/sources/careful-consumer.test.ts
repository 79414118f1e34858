import { Consumer } from '@platformatic/kafka';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { InflationError } from '../brokers/guard-inflation.ts';
import { CarefulConsumer } from './careful-consumer.ts';
import { FetchCaution } from './fetch-caution.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

type Fetch = (options: object, callback: (error: Error | null, response?: unknown) => void) => void;

/** What each fetch of the client beneath is asked for, and answers. */
function stage(answers: readonly (Error | object)[]) {
  const left = [...answers];
  const beneath = vi.fn<Fetch>((_options, callback) => {
    const next = left.shift()!;
    if (next instanceof Error) callback(next);
    else callback(null, next);
  });
  vi.spyOn(Consumer.prototype, 'fetch').mockImplementation(beneath as never);
  const onHeld = vi.fn();
  const careful = { caution: new FetchCaution(), nameOf: () => 'orders', onHeld };
  const options = { clientId: 'test', groupId: 'test', bootstrapBrokers: ['127.0.0.1:1'] };
  const consumer = new CarefulConsumer(options, careful);
  const wanted = [0, 1].map((partition) => ({ topicId: 't', partitions: [partitionAt(partition, 3n)] }));
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
  return { ask, fetch, limits, answered, onHeld };
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

test('it is found behind failures that were tried again, and what is none stays what it is', async () => {
  const away = new Error('away');
  const { fetch } = stage([Object.assign(new Error('twice'), { errors: [away, new InflationError()] }), away]);
  expect(await fetch()).toEqual(nothing);
  expect((await fetch()) as unknown[]).toEqual([away, undefined]);
});
