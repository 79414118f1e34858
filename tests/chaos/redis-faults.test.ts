import { expect, test } from 'vitest';
import type { Loader } from '../support/loader.ts';
import { redisStageForFile } from '../support/redis-stage.ts';

/** How long Redis is away: longer than the 6 s after which older BullMQ never came back (taskforcesh/bullmq#4585). */
const OUTAGE_MS = 7_000;

const staged = redisStageForFile();

/** During an outage the load is the clock: this many more posts, each answered, however slow the machine. */
async function outage(loader: Loader): Promise<void> {
  const end = Date.now() + OUTAGE_MS;
  while (Date.now() < end) await loader.acknowledged(loader.history.filter((sent) => sent.outcome === 'ok').length + 5);
}

test('F09: Redis killed under load and back after 7 s: every post is answered 202, deliveries go on, and the worker listens again by itself', async () => {
  const on = staged();
  const { receiver } = on.stage;
  const loader = await on.load();
  await on.redis.crash();
  const before = receiver.requests.length;
  await outage(loader);
  await receiver.received(before + 20);
  // Lanes that are awake look for themselves; those that sleep nobody can ring now.
  await loader.stop();
  await on.allAsleep();
  const delivered = receiver.requests.length;
  const late = on.sendOne();
  await receiver.received(delivered + on.endpoints.length);
  await on.redis.start();
  await on.expectUnharmed(loader, late);
});

test('F15: Redis that hangs for 7 s holds up no post, and deliveries go on', async () => {
  const on = staged();
  const { receiver } = on.stage;
  const loader = await on.load();
  on.redis.signal('SIGSTOP');
  const before = receiver.requests.length;
  await outage(loader);
  await receiver.received(before + 20);
  // Every post has its answer before Redis can give one.
  await loader.stop();
  on.redis.signal('SIGCONT');
  await on.expectUnharmed(loader);
});

test('F09: a worker that is told to stop while Redis is away ends with exit code 0, and its lanes are free', async () => {
  const on = staged();
  const loader = await on.load();
  await on.redis.crash();
  expect(await on.worker.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  // What waits for Redis eats up the time that deliveries under way have left.
  expect(on.worker.output()).not.toContain('did not stop');
  expect(await on.stage.query('SELECT lane FROM lanes WHERE leased_until > now()')).toEqual([]);
  await on.redis.start();
  on.worker = await on.stage.start('worker');
  await on.expectUnharmed(loader);
});
