import { EventEmitter } from 'node:events';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { EvictionWatch } from './eviction-watch.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const EVICTS = 'Redis evicts keys (maxmemory-policy allkeys-lru). Set it to noeviction.';

function play() {
  const told: string[] = [];
  const redis = { answer: async () => 'maxmemory_policy:noeviction' };
  const client = () => Object.assign(new EventEmitter(), { info: () => redis.answer() }) as unknown as Redis;
  const watch = new EvictionWatch((problem) => told.push(problem));
  return { told, redis, client, watch };
}

test('a policy that is mended while the connections stay is noticed within seconds, and so is one that is spoilt', async () => {
  const { told, redis, client, watch } = play();
  const [first, second] = [client(), client()];
  redis.answer = async () => 'maxmemory_policy:allkeys-lru';
  for (const each of [first, second]) watch.watch(each);
  for (const each of [first, second]) each.emit('ready');
  await vi.advanceTimersByTimeAsync(0);
  expect(watch.problem).toBe(EVICTS);
  redis.answer = async () => 'maxmemory_policy:noeviction';
  await vi.advanceTimersByTimeAsync(5_000);
  expect(watch.problem).toBeNull();
  redis.answer = async () => 'maxmemory_policy:allkeys-lru';
  await vi.advanceTimersByTimeAsync(60_000);
  expect(watch.problem).toBe(EVICTS);
  // Each time once.
  expect(told).toEqual([EVICTS, EVICTS]);
  watch.close();
});

test('a Redis that does not answer is asked one question, and what was known stays', async () => {
  const { redis, client, watch } = play();
  redis.answer = async () => 'maxmemory_policy:allkeys-lru';
  const first = client();
  watch.watch(first);
  first.emit('ready');
  await vi.advanceTimersByTimeAsync(0);
  const asked = Promise.withResolvers<string>();
  const answer = vi.fn(() => asked.promise);
  redis.answer = answer;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(answer).toHaveBeenCalledOnce();
  asked.reject(new Error('Connection is closed.'));
  await vi.advanceTimersByTimeAsync(0);
  expect(watch.problem).toBe(EVICTS);
  watch.close();
});
