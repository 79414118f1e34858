import { expect, onTestFinished, type TestContext, test } from 'vitest';
import { checkInvariants } from '../support/check-invariants.ts';
import { eventually } from '../support/eventually.ts';
import { type Loader, type SentEvent, startLoader } from '../support/loader.ts';
import type { ReceivedRequest } from '../support/receiver.ts';
import { type RedisProcess, requireRedis, startRedisProcess } from '../support/redis-process.ts';
import type { ServiceProcess } from '../support/service-process.ts';
import { type CreatedEndpoint, createEndpoint, type Stage, stageForTest } from '../support/stage.ts';

/** How long Redis is away: longer than the 6 s after which older BullMQ never came back (taskforcesh/bullmq#4585). */
const OUTAGE_MS = 7_000;

interface Play {
  readonly stage: Stage;
  readonly redis: RedisProcess;
  readonly endpoints: readonly CreatedEndpoint[];
  readonly api: string;
  readonly worker: ServiceProcess;
  readonly loader: Loader;
}

/** An api and a worker on a Redis of their own, under load, with deliveries of every kind: under way, waiting, to be retried. */
async function play(context: TestContext): Promise<Play> {
  requireRedis(context);
  const redis = await startRedisProcess();
  onTestFinished(() => redis.close());
  const stage = await stageForTest({ env: { REDIS_URL: redis.url } });
  let answers = 0;
  stage.receiver.behave((_request, response) => {
    const status = answers++ % 10 === 0 ? 503 : 204;
    setTimeout(() => response.writeHead(status).end(), 20);
  });
  const [api, worker] = await Promise.all([stage.start('api'), stage.start('worker')]);
  const paths = Array.from({ length: 4 }, (_, i) => `/${i}`);
  const endpoints = await Promise.all(
    paths.map((path) =>
      createEndpoint(api.baseUrl, { url: stage.receiver.url + path, retry_schedule: [0, 1, 1, 2, 2, 2] }),
    ),
  );
  const loader = startLoader({ baseUrl: () => api.baseUrl, concurrency: 4, paceMs: 50 });
  await loader.acknowledged(40);
  return { stage, redis, api: api.baseUrl, worker, endpoints, loader };
}

/** During an outage the load is the clock: this many more posts, each answered, however slow the machine. */
async function outage(loader: Loader): Promise<void> {
  const end = Date.now() + OUTAGE_MS;
  while (Date.now() < end) await loader.acknowledged(loader.history.filter((sent) => sent.outcome === 'ok').length + 5);
}

async function allAsleep(stage: Stage): Promise<void> {
  await eventually(
    () => stage.query('SELECT lane FROM lanes WHERE owner IS NOT NULL'),
    (rows) => rows.length === 0,
  );
}

/** Producers noticed nothing, everything arrived, and the doorbell works: the sweeper would hide one that nobody rings or hears. */
async function expectUnharmed(
  { stage, redis, api, endpoints, loader }: Play,
  more: readonly SentEvent[] = [],
): Promise<void> {
  const history = [...(await loader.stop()), ...more];
  expect(history.filter((sent) => sent.status !== 202)).toEqual([]);
  const evidence = { databaseUrl: stage.databaseUrl, history, ledger: stage.receiver.requests, endpoints };
  // Lanes have their owners in Postgres: whatever becomes of Redis, not even what is in flight is sent twice.
  await checkInvariants({ ...evidence, duplicatesAtMost: 0 });
  await eventually(redis.consumers, (consumers) => consumers > 0);
  const before = await redis.jobsAdded(stage.env.REDIS_PREFIX!);
  await startLoader({ baseUrl: () => api, concurrency: 1, count: 1 }).done;
  await eventually(
    () => redis.jobsAdded(stage.env.REDIS_PREFIX!),
    (added) => added > before,
  );
}

test('F11: FLUSHALL under load loses nothing and sends nothing twice', async (context) => {
  const current = await play(context);
  for (let i = 0; i < 3; i++) {
    await current.redis.flushAll();
    await current.loader.acknowledged(current.loader.history.length + 20);
  }
  await expectUnharmed(current);
});

test('F11: a retry that waits for its timer is made although FLUSHALL took the timer', async (context) => {
  const current = await play(context);
  const { stage, redis, api, loader } = current;
  await loader.stop();
  stage.receiver.behave(
    ({ headers }, response) => void response.writeHead(headers['posthorn-attempt'] === '1' ? 503 : 204).end(),
  );
  await createEndpoint(api, { url: `${stage.receiver.url}/later`, retry_schedule: [0, 3] }, 'later');
  await startLoader({ baseUrl: () => api, concurrency: 1, count: 1, tenant: 'later' }).done;
  await eventually(
    () => stage.query('SELECT 1 FROM mailbox WHERE attempt = 1'),
    (rows) => rows.length === 1,
  );
  await allAsleep(stage);
  await redis.flushAll();
  const isRetry = ({ path, headers }: ReceivedRequest) => path === '/later' && headers['posthorn-attempt'] === '2';
  await eventually(
    async () => stage.receiver.requests.some(isRetry),
    (isMade) => isMade,
  );
});

test('F09: Redis killed under load and back after 7 s: every post is answered 202, deliveries go on, and the worker listens again by itself', async (context) => {
  const current = await play(context);
  const { redis, loader, stage } = current;
  await redis.crash();
  const before = stage.receiver.requests.length;
  await outage(loader);
  await stage.receiver.received(before + 20);
  // Lanes that are awake look for themselves; those that sleep nobody can ring now.
  await loader.stop();
  await allAsleep(stage);
  const delivered = stage.receiver.requests.length;
  const late = startLoader({ baseUrl: () => current.api, concurrency: 1, count: 1 });
  await stage.receiver.received(delivered + current.endpoints.length);
  await redis.start();
  await expectUnharmed(current, late.history);
});

test('F15: Redis that hangs for 7 s holds up no post, and deliveries go on', async (context) => {
  const current = await play(context);
  const { redis, loader, stage } = current;
  redis.signal('SIGSTOP');
  const before = stage.receiver.requests.length;
  await outage(loader);
  await stage.receiver.received(before + 20);
  // Every post has its answer before Redis can give one.
  await loader.stop();
  redis.signal('SIGCONT');
  await expectUnharmed(current);
});

test('F09: a worker that is told to stop while Redis is away ends with exit code 0, and its lanes are free', async (context) => {
  const { stage, redis, api, endpoints, loader, worker } = await play(context);
  await redis.crash();
  expect(await worker.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  // What waits for Redis eats up the time that deliveries under way have left.
  expect(worker.output()).not.toContain('did not stop');
  expect(await stage.query('SELECT lane FROM lanes WHERE leased_until > now()')).toEqual([]);
  await redis.start();
  await stage.start('worker');
  await expectUnharmed({ stage, redis, api, endpoints, loader, worker });
});
