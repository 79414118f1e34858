import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { END_MS, OffsetCommitter, type PartitionOffset } from './offset-committer.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => vi.useRealTimers());

const at = (partition: number, offset: bigint): PartitionOffset => ({ topic: 't', partition, offset, leaderEpoch: 0 });

/** A committer whose broker refuses every request until it is `there`. */
function committerOf() {
  const broker = { isThere: true, asked: [] as (readonly string[])[], failures: 0 };
  const commit = async (offsets: readonly PartitionOffset[]) => {
    broker.asked.push(offsets.map(({ partition, offset }) => `${partition}/${offset}`));
    if (!broker.isThere) throw new Error('NOT_COORDINATOR');
  };
  const committer = new OffsetCommitter(commit, () => broker.failures++);
  return { committer, broker };
}

const passed = (ms: number) => vi.advanceTimersByTimeAsync(ms);

test('an offset that could not be told is told later, though nothing more comes in its partition', async () => {
  const { committer, broker } = committerOf();
  broker.isThere = false;
  committer.add(at(0, 42n));
  await passed(0);
  expect(broker).toMatchObject({ asked: [['0/42']], failures: 1 });
  broker.isThere = true;
  await passed(60_000);
  expect(broker).toMatchObject({ asked: [['0/42'], ['0/42']], failures: 1 });
});

test('it is told along with what comes next, and never after something newer of its partition', async () => {
  const { committer, broker } = committerOf();
  broker.isThere = false;
  committer.add(at(0, 42n));
  committer.add(at(1, 7n));
  await passed(0);
  broker.isThere = true;
  committer.add(at(0, 43n));
  await passed(0);
  expect(broker.asked.slice(1).map((offsets) => [...offsets].sort())).toEqual([['0/43', '1/7']]);
  await passed(600_000);
  expect(broker.asked).toHaveLength(2);
});

test('what came while a request was failing is not put back by it', async () => {
  const answer = Promise.withResolvers<void>();
  const asked: bigint[] = [];
  const committer = new OffsetCommitter(
    ([first]) => {
      asked.push(first!.offset);
      return asked.length === 1 ? answer.promise : Promise.resolve();
    },
    () => {},
  );
  committer.add(at(0, 42n));
  await passed(0);
  committer.add(at(0, 43n));
  answer.reject(new Error('NOT_COORDINATOR'));
  await passed(60_000);
  expect(asked).toEqual([42n, 43n]);
});

test('while the broker refuses it is asked ever more seldom', async () => {
  const { committer, broker } = committerOf();
  broker.isThere = false;
  committer.add(at(0, 42n));
  await passed(60_000);
  const inAMinute = broker.asked.length;
  expect(inAMinute).toBeLessThan(10);
  await passed(600_000);
  expect(broker.asked.length - inAMinute).toBeGreaterThanOrEqual(10);
  expect(broker.asked.length - inAMinute).toBeLessThan(30);
});

test('at the end it is tried once more, at once, and then no more', async () => {
  const { committer, broker } = committerOf();
  broker.isThere = false;
  committer.add(at(0, 42n));
  await passed(0);
  await committer.close(false);
  expect(broker).toMatchObject({ asked: [['0/42'], ['0/42']], failures: 2 });
  await passed(600_000);
  expect(broker.asked).toHaveLength(2);
});

test('after what has just failed nothing is tried once more; what is new is tried', async () => {
  const { committer, broker } = committerOf();
  broker.isThere = false;
  committer.add(at(0, 42n));
  await passed(0);
  await committer.close(true);
  expect(broker.asked).toEqual([['0/42']]);
  const late = committerOf();
  late.committer.add(at(0, 42n));
  await late.committer.close(true);
  expect(late.broker.asked).toEqual([['0/42']]);
});

test.each([true, false])(
  'a request that fails during the end is made once more, or not where all is broken: %s',
  async (isBroken) => {
    const answer = Promise.withResolvers<void>();
    const commit = vi.fn(() => answer.promise);
    const committer = new OffsetCommitter(commit, () => {});
    committer.add(at(0, 42n));
    await passed(0);
    const closed = committer.close(isBroken);
    answer.reject(new Error('away'));
    await closed;
    expect(commit).toHaveBeenCalledTimes(isBroken ? 1 : 2);
  },
);

test('a broker that is silent at the end is waited for a few seconds, and then told nothing more', async () => {
  const answer = Promise.withResolvers<void>();
  const commit = vi.fn(() => answer.promise);
  const committer = new OffsetCommitter(commit, () => {});
  committer.add(at(0, 42n));
  await passed(0);
  let isClosed = false;
  const closed = committer.close(false).then(() => {
    isClosed = true;
  });
  await passed(END_MS - 1);
  expect(isClosed).toBe(false);
  await passed(1);
  await closed;
  answer.reject(new Error('It did not answer.'));
  await passed(600_000);
  expect(commit).toHaveBeenCalledTimes(1);
});
