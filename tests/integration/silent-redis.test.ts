import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { createQueueBackend } from '../../src/queues/backend.ts';
import { eventually } from '../support/eventually.ts';
import { startMutingProxy } from '../support/muting-proxy.ts';
import { requireRedis, startRedisProcess } from '../support/redis-process.ts';

beforeEach((context) => requireRedis(context));

/** As the doorbell has them. */
const consuming = { concurrency: 4, lockDuration: 6_000, stalledInterval: 3_000, maxStalledCount: 10, drainDelay: 5 };
/** What does not end by itself, as where a connection stays silent, fails rather than hangs. In ms. */
const [TEST_MS, CLOSE_MS] = [90_000, 20_000];

test(
  'a Redis whose connections go silent without an end is connected to anew, and rings are heard again',
  async () => {
    const redis = await startRedisProcess();
    onTestFinished(() => redis.close());
    const proxy = await startMutingProxy(redis.port);
    onTestFinished(() => proxy.close());
    const errors: string[] = [];
    const backend = createQueueBackend({
      redisUrl: `redis://127.0.0.1:${proxy.port}`,
      databaseUrl: 'postgresql://nobody@127.0.0.1:1/none',
      prefix: '{posthorn}',
      onError: ({ message }) => errors.push(message),
    });
    let heard = 0;
    const consumer = backend.consumer('lanes', async () => void heard++, consuming);
    const producer = backend.producer('lanes');
    // All at once: each alone would wait for an answer on the connections that are to be closed.
    const close = () => Promise.all([producer.close(), consumer.close(), backend.close()]);
    onTestFinished(async () => void (await close()), CLOSE_MS);
    const untilHeard = async () => {
      heard = 0;
      const ring = () => producer.add('ring', {}, { removeOnComplete: true }).catch(() => {});
      await eventually(
        () => ring().then(() => heard),
        (count) => count > 0,
      );
    };
    await untilHeard();
    proxy.mute();
    await untilHeard();
    expect(errors.join()).toContain('Socket timeout');
  },
  TEST_MS,
);
