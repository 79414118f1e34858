import { EventEmitter } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import type { IQueueBackend } from 'bullmq';
import { expect, onTestFinished, test, vi } from 'vitest';
import { PacedWorker } from './paced-worker.ts';

test('a worker whose fetches fail asks once a second, whatever the failure', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const moveToActive = vi.fn(async () => {
    await turn();
    throw new Error('the database system is starting up');
  });
  const done = async () => {};
  const others = { waitUntilReady: done, moveStalledJobsToWait: async () => [], disconnectBlocking: done, close: done };
  const backend = Object.assign(new EventEmitter(), others, { moveToActive, toKey: String });
  const worker = new PacedWorker('lanes', done, { connection: {} }, () => backend as unknown as IQueueBackend);
  worker.on('error', () => {});
  for (let second = 1; second <= 3; second++) {
    for (let i = 0; i < 50; i++) await turn();
    expect(moveToActive).toHaveBeenCalledTimes(second);
    await vi.advanceTimersByTimeAsync(1_000);
  }
  const closed = worker.close();
  await vi.advanceTimersByTimeAsync(1_000);
  await closed;
});
