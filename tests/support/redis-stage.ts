import { afterAll, beforeAll, beforeEach, expect, onTestFailed } from 'vitest';
import { checkInvariants } from './check-invariants.ts';
import { eventually } from './eventually.ts';
import { type Loader, type SentEvent, startLoader } from './loader.ts';
import { ok } from './receiver.ts';
import { hasRedis, type RedisProcess, requireRedis, startRedisProcess } from './redis-process.ts';
import type { ServiceProcess } from './service-process.ts';
import { type CreatedEndpoint, createEndpoint, openStage, type Stage } from './stage.ts';

/** One for all tests of the file that calls it, which are skipped where there is no Redis to start. */
export function redisStageForFile(): () => RedisStage {
  let stage: RedisStage | undefined;
  beforeAll(async () => {
    if (hasRedis()) stage = await RedisStage.open();
  });
  beforeEach((context) => {
    requireRedis(context);
    onTestFailed(() => console.error(stage?.stage.logs()));
  });
  afterAll(() => stage?.close());
  return () => stage!;
}

/** An api and a worker on a Redis of their own, to which faults come in turn. */
export class RedisStage {
  readonly stage: Stage;
  readonly redis: RedisProcess;
  readonly api: string;
  worker: ServiceProcess;
  readonly endpoints: readonly CreatedEndpoint[];
  /** Every event that was sent so far. */
  readonly #history: SentEvent[] = [];

  private constructor(
    stage: Stage,
    redis: RedisProcess,
    api: string,
    worker: ServiceProcess,
    endpoints: readonly CreatedEndpoint[],
  ) {
    this.stage = stage;
    this.redis = redis;
    this.api = api;
    this.worker = worker;
    this.endpoints = endpoints;
  }

  static async open(): Promise<RedisStage> {
    const redis = await startRedisProcess();
    const stage = await openStage({ env: { REDIS_URL: redis.url } });
    const [{ baseUrl }, worker] = await Promise.all([stage.start('api'), stage.start('worker')]);
    const create = (_: unknown, i: number) =>
      createEndpoint(baseUrl, { url: `${stage.receiver.url}/${i}`, retry_schedule: [0, 1, 1, 2, 2, 2] });
    return new RedisStage(stage, redis, baseUrl, worker, await Promise.all(Array.from({ length: 4 }, create)));
  }

  async close(): Promise<void> {
    await this.stage.close();
    await this.redis.close();
  }

  /** A load, with deliveries of every kind: under way, waiting, to be retried. */
  async load(): Promise<Loader> {
    let answers = 0;
    this.stage.receiver.behave((_request, response) => {
      const status = answers++ % 10 === 0 ? 503 : 204;
      setTimeout(() => response.writeHead(status).end(), 20);
    });
    const loader = startLoader({ baseUrl: () => this.api, concurrency: 4, paceMs: 50 });
    await loader.acknowledged(40);
    return loader;
  }

  /** One event. */
  sendOne(): Loader {
    return startLoader({ baseUrl: () => this.api, concurrency: 1, count: 1 });
  }

  async allAsleep(): Promise<void> {
    await eventually(
      () => this.stage.query('SELECT lane FROM lanes WHERE owner IS NOT NULL'),
      (rows) => rows.length === 0,
    );
  }

  /** Producers noticed nothing, everything arrived, and the doorbell works: the sweeper would hide one that nobody rings or hears. */
  async expectUnharmed(...loaders: readonly Loader[]): Promise<void> {
    const { stage, redis, endpoints } = this;
    for (const loader of loaders) this.#history.push(...(await loader.stop()));
    expect(this.#history.filter((sent) => sent.status !== 202)).toEqual([]);
    const { databaseUrl } = stage;
    const evidence = { databaseUrl, history: this.#history, ledger: stage.receiver.requests, endpoints };
    // Lanes have their owners in Postgres: whatever becomes of Redis, not even what is in flight is sent twice.
    await checkInvariants({ ...evidence, duplicatesAtMost: 0 });
    await eventually(redis.consumers, (consumers) => consumers > 0);
    // Nothing is to be retried, so that no worker sets a timer: only a ring adds a job.
    stage.receiver.behave(ok);
    await this.#empty();
    await this.allAsleep();
    const before = await redis.jobsAdded(stage.env.REDIS_PREFIX!);
    await eventually(
      () => this.#jobsAfterOne(),
      (added) => added > before,
    );
    // The next fault's receiver answers none of this one's deliveries.
    await this.#empty();
  }

  async #empty(): Promise<void> {
    await eventually(
      () => this.stage.query('SELECT 1 FROM mailbox'),
      (rows) => rows.length === 0,
    );
  }

  /** One event more, and all jobs until then. The API may find Redis again later than the worker: until then it rings in vain, and the sweeper does its work. */
  async #jobsAfterOne(): Promise<number> {
    const one = this.sendOne();
    await one.done;
    expect(one.history.map(({ status }) => status)).toEqual([202]);
    this.#history.push(...one.history);
    return this.redis.jobsAdded(this.stage.env.REDIS_PREFIX!);
  }
}
