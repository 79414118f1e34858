import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { QueueBackend } from './backend.ts';
import { Doorbell } from './doorbell.ts';

interface Job {
  readonly name: string;
  readonly data: { readonly lane: number };
  readonly opts: { readonly delay?: number; readonly deduplication: { readonly id: string } };
}

let bulks: Job[][];
let singles: Job[];
let answer: () => Promise<unknown>;
let errors: unknown[];
let doorbell: Doorbell;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  bulks = [];
  singles = [];
  errors = [];
  answer = async () => {};
  const queue = {
    addBulk: (jobs: Job[]) => {
      bulks.push(jobs);
      return answer();
    },
    add: (name: string, data: Job['data'], opts: Job['opts']) => {
      singles.push({ name, data, opts });
      return answer();
    },
    close: async () => {},
  };
  doorbell = new Doorbell({ producer: () => queue } as unknown as QueueBackend, (error) => errors.push(error));
});

afterEach(() => {
  vi.useRealTimers();
});

const lanesOf = (jobs: readonly Job[] | undefined) => jobs?.map((job) => job.data.lane);

test('rings that come while one is on its way go together with the next, each lane once', async () => {
  let done = () => {};
  answer = () => new Promise<void>((resolve) => (done = resolve));
  doorbell.ring([1, 2]);
  for (let i = 0; i < 100; i++) doorbell.ring([3, 4]);
  expect(bulks.map(lanesOf)).toEqual([[1, 2]]);
  done();
  await vi.advanceTimersByTimeAsync(5);
  expect(bulks.map(lanesOf)).toEqual([
    [1, 2],
    [3, 4],
  ]);
});

test('a lane is rung every 100 ms at most, and the last ring is not lost', async () => {
  for (let ms = 0; ms < 500; ms++) {
    doorbell.ring([1]);
    await vi.advanceTimersByTimeAsync(1);
  }
  expect(bulks.length).toBeLessThanOrEqual(6);
  const before = bulks.length;
  doorbell.ring([1]);
  await vi.advanceTimersByTimeAsync(150);
  expect(bulks.length).toBeGreaterThan(before);
});

test('a lane that has not been rung lately is rung at once while another waits for its time', async () => {
  doorbell.ring([1]);
  await vi.advanceTimersByTimeAsync(1);
  doorbell.ring([1]);
  await vi.advanceTimersByTimeAsync(10);
  doorbell.ring([2]);
  await vi.advanceTimersByTimeAsync(0);
  expect(bulks.map(lanesOf)).toEqual([[1], [2]]);
});

test('a lane that was rung just now does not hold up the others', async () => {
  doorbell.ring([1]);
  await vi.advanceTimersByTimeAsync(1);
  doorbell.ring([1, 2]);
  await vi.advanceTimersByTimeAsync(1);
  expect(bulks.map(lanesOf)).toEqual([[1], [2]]);
});

test('a ring that fails is reported, and the next one goes out', async () => {
  answer = () => Promise.reject(new Error('Redis is away'));
  doorbell.ring([1]);
  doorbell.ringIn(1, 5);
  await vi.advanceTimersByTimeAsync(1);
  expect(errors).toHaveLength(2);
  answer = async () => {};
  doorbell.ring([2]);
  await vi.advanceTimersByTimeAsync(1);
  expect(lanesOf(bulks.at(-1))).toEqual([2]);
});

test('timers and rings of a lane never replace one another', async () => {
  doorbell.ring([1]);
  doorbell.ringIn(1, 1_500.2);
  expect(singles).toMatchObject([{ data: { lane: 1 }, opts: { delay: 1_501 } }]);
  expect(singles[0]!.opts.deduplication.id).not.toBe(bulks[0]![0]!.opts.deduplication.id);
  doorbell.ring([2]);
  await vi.advanceTimersByTimeAsync(1);
  const ids = bulks.flat().map((job) => job.opts.deduplication.id);
  expect(new Set(ids).size).toBe(2);
});

test('after the close nothing is sent any more', async () => {
  await doorbell.close();
  doorbell.ring([1]);
  await vi.advanceTimersByTimeAsync(100);
  expect(bulks).toEqual([]);
});
