import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { createQueueBackend } from '../../src/queues/backend.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { requireRedis, startRedisProcess } from '../support/redis-process.ts';

beforeEach((context) => requireRedis(context));

/** As the doorbell has them. */
const consuming = { concurrency: 4, lockDuration: 6_000, stalledInterval: 3_000, maxStalledCount: 10, drainDelay: 5 };

/** The producer's, the consumer's, and the copy by which that waits for jobs. */
const CONNECTIONS = 3;
/** How seldom each of them is made anew, and for how long it is watched, in ms. */
const [PAUSE_MS, WATCHED_MS] = [2_000, 5_000];
/** What does not end by itself fails rather than hangs. In ms. */
const [TEST_MS, CLOSE_MS] = [90_000, 20_000];

test(
  'a Redis that became a replica sounds the alarm and is not connected to without a pause, and once it takes writes rings are heard again',
  async () => {
    const redis = await startRedisProcess();
    onTestFinished(() => redis.close());
    const backend = createQueueBackend({
      redisUrl: redis.url,
      databaseUrl: 'postgresql://nobody@127.0.0.1:1/none',
      prefix: '{posthorn}',
      onError: () => {},
    });
    let heard = 0;
    const consumer = backend.consumer('lanes', async () => void heard++, consuming);
    const producer = backend.producer('lanes');
    // All at once: each alone would wait for an answer on the connections that are to be closed.
    const close = () => Promise.all([producer.close(), consumer.close(), backend.close()]);
    onTestFinished(async () => void (await close()), CLOSE_MS);
    const ring = () => producer.add('ring', {}, { removeOnComplete: true }).then(() => {}, String);
    const untilHeard = async () => {
      heard = 0;
      await eventually(
        () => ring().then(() => heard),
        (count) => count > 0,
      );
    };
    const connectionsMade = async () =>
      Number(/total_connections_received:(\d+)/.exec(await redis.command('INFO stats'))![1]);
    await untilHeard();
    expect(backend.refusesWrites).toBe(false);

    await redis.command(`REPLICAOF 127.0.0.1 ${await freePort()}`);
    const [before, start] = [await connectionsMade(), performance.now()];
    const told = await eventually(ring, (said) => said?.includes('READONLY') === true);
    expect(told).toContain("You can't write against a read only replica");
    const passedMs = () => performance.now() - start;
    await eventually(
      () => ring().then(passedMs),
      (ms) => ms >= WATCHED_MS,
    );
    expect(backend.refusesWrites).toBe(true);
    // And one by which it is asked.
    const most = CONNECTIONS * (1 + Math.ceil(passedMs() / PAUSE_MS)) + 1;
    expect((await connectionsMade()) - before).toBeLessThanOrEqual(most);

    await redis.command('REPLICAOF NO ONE');
    await untilHeard();
    expect(backend.refusesWrites).toBe(false);
  },
  TEST_MS,
);
