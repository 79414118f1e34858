import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Context } from '../context.ts';
import { housekeepingServices } from './housekeeping-services.ts';

const HOUR_MS = 3_600_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A Postgres that has nothing to forget, and whose old days take until `end` is called. */
function stage() {
  const { promise: dropped, resolve: end } = Promise.withResolvers<void>();
  const begun: string[] = [];
  const query = async (statement: string | { readonly text: string }) => {
    const text = typeof statement === 'string' ? statement : statement.text;
    if (text.includes('pg_inherits')) {
      begun.push(text);
      await dropped;
    }
    return { rows: text.includes('endpoint_secrets s') ? [{ last: null, endpoints: 0 }] : [], rowCount: 0 };
  };
  const done: string[] = [];
  const context = {
    config: { RETENTION_DAYS: 5, DEAD_LETTER_RETENTION_DAYS: 5, IDEMPOTENCY_HOURS: 24 },
    workerPool: { query, connect: async () => ({ query, release: () => {} }) },
    clock: { calibrate: async () => {}, nowMs: () => Date.now() },
    observe: {
      housekeeping: (duty: string) => done.push(duty),
      housekeepingLeft: (duty: string) => done.push(`${duty} left`),
      housekeepingFailed: (duty: string) => done.push(`${duty} failed`),
    },
  };
  return { services: housekeepingServices(context as unknown as Context), done, begun, end };
}

const times = (done: readonly string[], duty: string) => done.filter((each) => each === duty).length;

test('however long the drop of old days takes, the other duties are done every hour, and it is not begun twice', async () => {
  const { services, done, begun, end } = stage();
  for (const service of services) await service.start();
  await vi.advanceTimersByTimeAsync(0);
  expect([times(done, 'keys_resumed'), times(done, 'ends_added'), times(done, 'partitions_dropped')]).toEqual([
    1, 1, 0,
  ]);
  await vi.advanceTimersByTimeAsync(2 * HOUR_MS);
  expect([times(done, 'keys_resumed'), times(done, 'ends_added'), times(done, 'partitions_dropped')]).toEqual([
    3, 3, 0,
  ]);
  end();
  await vi.advanceTimersByTimeAsync(0);
  expect([begun.length, times(done, 'partitions_dropped')]).toEqual([1, 1]);
  for (const service of services) await service.stop(0);
});

test('dead letters are forgotten after the days that they are of are dropped, by whoever drops them', async () => {
  const { services, done, end } = stage();
  for (const service of services) await service.start();
  await vi.advanceTimersByTimeAsync(HOUR_MS);
  expect(times(done, 'dead_letters_forgotten')).toBe(0);
  end();
  await vi.advanceTimersByTimeAsync(0);
  expect(done.slice(done.indexOf('partitions_dropped'))).toEqual(['partitions_dropped', 'dead_letters_forgotten']);
  for (const service of services) await service.stop(0);
});
