import { type JobsOptions, type Processor, Queue, type Worker, type WorkerOptions } from 'bullmq';
import type { Cluster, Redis } from 'ioredis';
import { EvictionWatch } from './eviction-watch.ts';
import { PacedWorker } from './paced-worker.ts';
import { postgresBackend } from './postgres-backend.ts';
import { openRedis, type RedisTuning } from './redis.ts';
import { Restarting } from './restarting.ts';
import { WriteWatch } from './write-watch.ts';

export interface QueueBackendOptions {
  readonly redisUrl: string | undefined;
  readonly databaseUrl: string;
  /** Keeps several installations on one Redis apart; with braces, so that a Cluster keeps a queue in one slot. */
  readonly prefix: string;
  readonly onError: (error: Error) => void;
}

export type { JobsOptions };

/** Puts jobs into a queue. */
export type Producer = Pick<Queue, 'add' | 'addBulk' | 'close'>;

/** Takes jobs out of a queue. */
export interface Consumer {
  /** How many jobs it has under way at once. */
  setConcurrency(jobs: number): void;
  close(): Promise<void>;
}

export type ConsumerOptions = Pick<
  WorkerOptions,
  'lockDuration' | 'stalledInterval' | 'maxStalledCount' | 'drainDelay'
> & { readonly concurrency: number };

/** BullMQ on Redis or on Postgres; only this file knows which. What is built while Redis or Postgres is away waits until it is there. */
export interface QueueBackend {
  producer(name: string): Producer;
  consumer(name: string, processor: Processor, options: ConsumerOptions): Consumer;
  /** What is wrong with the setting-up of the backend, for the readiness probe; null when nothing is. */
  problem(): string | null;
  /** Whether the backend answers but refuses writes: rings fail then, and workers find their work by looking for it. */
  readonly refusesWrites: boolean;
  /** Closes the connections that this backend opened for its queues and workers. */
  close(): Promise<void>;
}

export function createQueueBackend(options: QueueBackendOptions): QueueBackend {
  return options.redisUrl === undefined ? onPostgres(options) : onRedis(options, options.redisUrl);
}

function onPostgres({ databaseUrl, onError }: QueueBackendOptions): QueueBackend {
  const backend = postgresBackend(databaseUrl);
  // BullMQ requires a connection here, but this backend opens its own.
  const connection = {};
  const writes = new WriteWatch();
  return {
    refusesWrites: false,
    producer: (name) => producerOf(() => new Queue(name, { connection }, backend) as unknown as Queue, writes, onError),
    consumer: (name, processor, more) => {
      const build = (options: BuildOptions) =>
        new PacedWorker(name, processor, { ...options, connection }, backend) as unknown as Worker;
      return consumerOf(build, more, onError);
    },
    problem: () => null,
    close: async () => {},
  };
}

function onRedis({ prefix, onError: report }: QueueBackendOptions, url: string): QueueBackend {
  const opened: (Redis | Cluster)[] = [];
  const writes = new WriteWatch();
  const onError = (error: Error) => {
    writes.failed(error);
    report(error);
  };
  const eviction = new EvictionWatch((problem) => onError(new Error(problem)));
  const connect = (options: RedisTuning) => {
    const client = openRedis(url, options);
    client.on('error', onError);
    eviction.watch(client);
    opened.push(client);
    return client;
  };
  // A producer fails at once while Redis is away (the sweeper is the backstop); a consumer waits as long as it takes.
  const producer: RedisTuning = { enableOfflineQueue: false, maxRetriesPerRequest: 1, commandTimeout: 2_000 };
  const consumer: RedisTuning = { maxRetriesPerRequest: null };
  return {
    // It waits for the first connection: with `skipWaitingForReady` BullMQ asks for Redis's version before there is one, fails for want
    // of an offline queue, and every later call fails with it.
    producer: (name) => {
      const connection = connect(producer);
      return producerOf(() => new Queue(name, { prefix, connection }), writes, onError);
    },
    consumer: (name, processor, more) => {
      const connection = connect(consumer);
      return consumerOf(
        (options) => new PacedWorker(name, processor, { ...options, prefix, connection }),
        more,
        onError,
      );
    },
    problem: () => eviction.problem,
    get refusesWrites() {
      return writes.refuses;
    },
    close: async () => {
      eviction.close();
      for (const client of opened) client.disconnect();
    },
  };
}

function producerOf(build: () => Queue, writes: WriteWatch, onError: (error: Error) => void): Producer {
  const queue = new Restarting({ build: () => watch(build(), onError), use: async () => {}, onError });
  const noted = <T>(write: Promise<T>): Promise<T> => {
    write.then(
      () => writes.took(),
      (error: unknown) => writes.failed(error),
    );
    return write;
  };
  return {
    add: (...job) => noted(queue.current.add(...job)),
    addBulk: (jobs) => noted(queue.current.addBulk(jobs)),
    close: () => queue.close(),
  };
}

/** How long a worker waits after a refused connection, in ms. With the 15 s of BullMQ the sweeper alone would wake lanes for as long. */
const RETRY_MS = 1_000;

type BuildOptions = ConsumerOptions & { readonly autorun: false; readonly runRetryDelay: number };

function consumerOf(
  build: (options: BuildOptions) => Worker,
  options: ConsumerOptions,
  onError: (error: Error) => void,
): Consumer {
  let { concurrency } = options;
  const worker = new Restarting({
    build: () => watch(build({ ...options, concurrency, autorun: false, runRetryDelay: RETRY_MS }), onError),
    use: (started) => started.run(),
    onError,
  });
  return {
    setConcurrency: (jobs) => {
      concurrency = jobs;
      worker.current.concurrency = jobs;
    },
    close: () => worker.close(),
  };
}

function watch<T extends { on(event: 'error', listener: (error: Error) => void): unknown }>(
  emitter: T,
  onError: (error: Error) => void,
): T {
  emitter.on('error', onError);
  return emitter;
}
