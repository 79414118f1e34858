import { createPostgresBackend, type JobsOptions, type Processor, Queue, Worker, type WorkerOptions } from 'bullmq';
import type { Cluster, Redis } from 'ioredis';
import pg from 'pg';
import { evictionProblem, openRedis, type RedisTuning } from './redis.ts';

export interface QueueBackendOptions {
  readonly redisUrl: string | undefined;
  readonly databaseUrl: string;
  /** Keeps several installations on one Redis apart; with braces, so that a Cluster keeps a queue in one slot. */
  readonly prefix: string;
  readonly onError: (error: Error) => void;
}

export type { JobsOptions, Processor };

/** BullMQ on Redis or on Postgres: the one place that knows which. */
export interface QueueBackend {
  queue(name: string): Queue;
  worker(name: string, processor: Processor, options: Omit<WorkerOptions, 'connection'>): Worker;
  /** What is wrong with the setting-up of the backend, for the readiness probe; null when nothing is. */
  problem(): string | null;
  /** Closes the connections that this backend opened for its queues and workers. */
  close(): Promise<void>;
}

export function createQueueBackend(options: QueueBackendOptions): QueueBackend {
  return options.redisUrl === undefined ? onPostgres(options) : onRedis(options, options.redisUrl);
}

/** BullMQ checks connections out without listening to their errors, which would end the process when Postgres goes away. */
class ListenedClient extends pg.Client {
  constructor(config?: string | pg.ClientConfig) {
    super(config);
    this.on('error', () => {});
  }
}

function onPostgres({ databaseUrl, onError }: QueueBackendOptions): QueueBackend {
  const connection = {
    connectionString: databaseUrl,
    schema: 'bullmq',
    migrate: true,
    max: 4,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    Client: ListenedClient,
  };
  return {
    queue: (name) => watch(new Queue(name, { connection }, createPostgresBackend) as unknown as Queue, onError),
    worker: (name, processor, more) =>
      watch(new Worker(name, processor, { ...more, connection }, createPostgresBackend) as unknown as Worker, onError),
    problem: () => null,
    close: async () => {},
  };
}

function onRedis({ prefix, onError }: QueueBackendOptions, url: string): QueueBackend {
  const opened: (Redis | Cluster)[] = [];
  let problem: string | null = null;
  const connect = (options: RedisTuning) => {
    const client = openRedis(url, options);
    client.on('error', onError);
    client.on('ready', async () => {
      problem = await evictionProblem(client).catch(() => problem);
      if (problem !== null) onError(new Error(problem));
    });
    opened.push(client);
    return client;
  };
  // A producer fails at once while Redis is away (the sweeper is the backstop); a consumer waits as long as it takes.
  const producer: RedisTuning = { enableOfflineQueue: false, maxRetriesPerRequest: 1, commandTimeout: 2_000 };
  const consumer: RedisTuning = { maxRetriesPerRequest: null };
  return {
    // It waits for the first connection: with `skipWaitingForReady` BullMQ asks for Redis's version before there is one, fails for want
    // of an offline queue, and every later call fails with it.
    queue: (name) => watch(new Queue(name, { prefix, connection: connect(producer) }), onError),
    worker: (name, processor, more) =>
      watch(new Worker(name, processor, { ...more, prefix, connection: connect(consumer) }), onError),
    problem: () => problem,
    close: async () => {
      for (const client of opened) client.disconnect();
    },
  };
}

function watch<T extends { on(event: 'error', listener: (error: Error) => void): unknown }>(
  emitter: T,
  onError: (error: Error) => void,
): T {
  emitter.on('error', onError);
  return emitter;
}
