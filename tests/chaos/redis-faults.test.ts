import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest';
import { call } from '../support/api.ts';
import { checkInvariants } from '../support/check-invariants.ts';
import { eventually } from '../support/eventually.ts';
import { type Loader, type SentEvent, startLoader } from '../support/loader.ts';
import type { ReceivedRequest } from '../support/receiver.ts';
import { hasRedis, type RedisProcess, requireRedis, startRedisProcess } from '../support/redis-process.ts';
import type { ServiceProcess } from '../support/service-process.ts';
import { type CreatedEndpoint, createEndpoint, openStage, type Stage, TENANT } from '../support/stage.ts';

/** How long Redis is away: longer than the 6 s after which older BullMQ never came back (taskforcesh/bullmq#4585). */
const OUTAGE_MS = 7_000;

// An api and a worker on a Redis of their own, to which every fault comes in turn.
let stage: Stage;
let redis: RedisProcess;
let endpoints: readonly CreatedEndpoint[];
let api: string;
let worker: ServiceProcess;
/** Every event that was sent so far. */
const history: SentEvent[] = [];

beforeEach((context) => {
  requireRedis(context);
  onTestFailed(() => console.error(stage.logs()));
});
beforeAll(async () => {
  if (!hasRedis()) return;
  redis = await startRedisProcess();
  stage = await openStage({ env: { REDIS_URL: redis.url } });
  const processes = await Promise.all([stage.start('api'), stage.start('worker')]);
  api = processes[0].baseUrl;
  worker = processes[1];
  const paths = Array.from({ length: 4 }, (_, i) => `/${i}`);
  endpoints = await Promise.all(
    paths.map((path) => createEndpoint(api, { url: stage.receiver.url + path, retry_schedule: [0, 1, 1, 2, 2, 2] })),
  );
});
afterAll(async () => {
  await stage?.close();
  await redis?.close();
});

/** A load, with deliveries of every kind: under way, waiting, to be retried. */
async function load(): Promise<Loader> {
  let answers = 0;
  stage.receiver.behave((_request, response) => {
    const status = answers++ % 10 === 0 ? 503 : 204;
    setTimeout(() => response.writeHead(status).end(), 20);
  });
  const loader = startLoader({ baseUrl: () => api, concurrency: 4, paceMs: 50 });
  await loader.acknowledged(40);
  return loader;
}

/** During an outage the load is the clock: this many more posts, each answered, however slow the machine. */
async function outage(loader: Loader): Promise<void> {
  const end = Date.now() + OUTAGE_MS;
  while (Date.now() < end) await loader.acknowledged(loader.history.filter((sent) => sent.outcome === 'ok').length + 5);
}

async function allAsleep(): Promise<void> {
  await eventually(
    () => stage.query('SELECT lane FROM lanes WHERE owner IS NOT NULL'),
    (rows) => rows.length === 0,
  );
}

/** Producers noticed nothing, everything arrived, and the doorbell works: the sweeper would hide one that nobody rings or hears. */
async function expectUnharmed(...loaders: readonly Loader[]): Promise<void> {
  for (const loader of loaders) history.push(...(await loader.stop()));
  expect(history.filter((sent) => sent.status !== 202)).toEqual([]);
  const evidence = { databaseUrl: stage.databaseUrl, history, ledger: stage.receiver.requests, endpoints };
  // Lanes have their owners in Postgres: whatever becomes of Redis, not even what is in flight is sent twice.
  await checkInvariants({ ...evidence, duplicatesAtMost: 0 });
  await eventually(redis.consumers, (consumers) => consumers > 0);
  const before = await redis.jobsAdded(stage.env.REDIS_PREFIX!);
  const last = startLoader({ baseUrl: () => api, concurrency: 1, count: 1 });
  await last.done;
  history.push(...last.history);
  await eventually(
    () => redis.jobsAdded(stage.env.REDIS_PREFIX!),
    (added) => added > before,
  );
  // The next fault's receiver answers none of this one's deliveries.
  await eventually(
    () => stage.query('SELECT 1 FROM mailbox'),
    (rows) => rows.length === 0,
  );
}

test('F09: Redis killed under load and back after 7 s: every post is answered 202, deliveries go on, and the worker listens again by itself', async () => {
  const loader = await load();
  await redis.crash();
  const before = stage.receiver.requests.length;
  await outage(loader);
  await stage.receiver.received(before + 20);
  // Lanes that are awake look for themselves; those that sleep nobody can ring now.
  await loader.stop();
  await allAsleep();
  const delivered = stage.receiver.requests.length;
  const late = startLoader({ baseUrl: () => api, concurrency: 1, count: 1 });
  await stage.receiver.received(delivered + endpoints.length);
  await redis.start();
  await expectUnharmed(loader, late);
});

test('F15: Redis that hangs for 7 s holds up no post, and deliveries go on', async () => {
  const loader = await load();
  redis.signal('SIGSTOP');
  const before = stage.receiver.requests.length;
  await outage(loader);
  await stage.receiver.received(before + 20);
  // Every post has its answer before Redis can give one.
  await loader.stop();
  redis.signal('SIGCONT');
  await expectUnharmed(loader);
});

test('F09: a worker that is told to stop while Redis is away ends with exit code 0, and its lanes are free', async () => {
  const loader = await load();
  await redis.crash();
  expect(await worker.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  // What waits for Redis eats up the time that deliveries under way have left.
  expect(worker.output()).not.toContain('did not stop');
  expect(await stage.query('SELECT lane FROM lanes WHERE leased_until > now()')).toEqual([]);
  await redis.start();
  worker = await stage.start('worker');
  await expectUnharmed(loader);
});

test('F11: FLUSHALL under load loses nothing and sends nothing twice', async () => {
  const loader = await load();
  for (let i = 0; i < 3; i++) {
    await redis.flushAll();
    await loader.acknowledged(loader.history.length + 20);
  }
  await expectUnharmed(loader);
});

test('F11: a retry that waits for its timer is made although FLUSHALL took the timer', async () => {
  const path = `/v1/tenants/${TENANT}/endpoints/${endpoints[0]!.id}`;
  expect((await call(api, 'PATCH', path, { retry_schedule: [0, 8, 8, 8, 8, 8] })).status).toBe(200);
  const isFirst = ({ path: at, headers }: ReceivedRequest) => at === '/0' && headers['posthorn-attempt'] === '1';
  stage.receiver.behave((request, response) => void response.writeHead(isFirst(request) ? 503 : 204).end());
  const loader = startLoader({ baseUrl: () => api, concurrency: 1, count: 1 });
  await loader.done;
  const from = stage.receiver.requests.length;
  await eventually(
    () => stage.query('SELECT 1 FROM mailbox WHERE attempt = 1'),
    (rows) => rows.length === 1,
  );
  await allAsleep();
  await redis.flushAll();
  const isRetry = ({ path: at, headers }: ReceivedRequest) => at === '/0' && headers['posthorn-attempt'] === '2';
  await eventually(
    async () => stage.receiver.requests.slice(from).some(isRetry),
    (isMade) => isMade,
  );
  await expectUnharmed(loader);
});
