import { createPostgresBackend, type JobsOptions, type Processor, Queue, Worker, type WorkerOptions } from 'bullmq';
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import pg from 'pg';

export interface QueueBackendOptions {
  readonly redisUrl: string | undefined;
  readonly databaseUrl: string;
  /** Keeps several installations on one Redis apart; with braces, so that a Cluster keeps a queue in one slot. */
  readonly prefix: string;
  readonly onError: (error: Error) => void;
}

export type { JobsOptions, Processor };

/** The connection settings that differ between our uses of Redis. */
type RedisTuning = Pick<
  RedisOptions,
  'enableOfflineQueue' | 'maxRetriesPerRequest' | 'commandTimeout' | 'connectTimeout' | 'retryStrategy' | 'reconnectOnError'
>;

/** BullMQ on Redis or on Postgres: the one place that knows which. */
export interface QueueBackend {
  queue(name: string): Queue;
  worker(name: string, processor: Processor, options: Omit<WorkerOptions, 'connection'>): Worker;
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
  const connection = { connectionString: databaseUrl, schema: 'bullmq', migrate: true, max: 4, connectionTimeoutMillis: 5_000, keepAlive: true, Client: ListenedClient };
  return {
    queue: (name) => watch(new Queue(name, { connection }, createPostgresBackend) as unknown as Queue, onError),
    worker: (name, processor, more) =>
      watch(new Worker(name, processor, { ...more, connection }, createPostgresBackend) as unknown as Worker, onError),
    close: async () => {},
  };
}

function onRedis({ prefix, onError }: QueueBackendOptions, url: string): QueueBackend {
  const opened: (Redis | Cluster)[] = [];
  const connect = (options: RedisTuning) => {
    const client = openRedis(url, options);
    client.on('error', onError);
    opened.push(client);
    return client;
  };
  // A producer fails at once while Redis is away (the sweeper is the backstop); a consumer waits as long as it takes.
  const producer: RedisTuning = { enableOfflineQueue: false, maxRetriesPerRequest: 1, commandTimeout: 2_000 };
  const consumer: RedisTuning = { maxRetriesPerRequest: null };
  return {
    queue: (name) => watch(new Queue(name, { prefix, connection: connect(producer), skipWaitingForReady: true }), onError),
    worker: (name, processor, more) => watch(new Worker(name, processor, { ...more, prefix, connection: connect(consumer) }), onError),
    close: async () => {
      for (const client of opened) client.disconnect();
    },
  };
}

function watch<T extends { on(event: 'error', listener: (error: Error) => void): unknown }>(emitter: T, onError: (error: Error) => void): T {
  emitter.on('error', onError);
  return emitter;
}

/** Reconnects quickly and for ever; a replica that was promoted away answers READONLY, and the connection is made anew. */
const RECONNECT: RedisTuning = {
  connectTimeout: 5_000,
  retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 6), 2_000),
  reconnectOnError: (error) => (error.message.startsWith('READONLY') ? 2 : false),
};

/**
 * @param text `redis://`, `rediss://`, `redis+sentinel://host:port,host:port/master` or `redis+cluster://host:port,host:port`
 */
export function openRedis(text: string, more: RedisTuning): Redis | Cluster {
  const options = { ...RECONNECT, ...more };
  const special = /^redis\+(sentinel|cluster):\/\/(?:([^@/]*)@)?([^/]+)(?:\/([^/?]*))?$/.exec(text);
  if (special === null) return new Redis(text, options);
  const [, kind, userInfo, hosts, name] = special;
  const nodes = hosts!.split(',').map((host) => {
    const [address, port] = host.split(/:(?=\d+$)/);
    return { host: address!, port: Number(port ?? (kind === 'sentinel' ? 26379 : 6379)) };
  });
  const [username, password] = (userInfo ?? '').split(':').map(decodeURIComponent);
  const credentials = { ...(username ? { username } : {}), ...(password ? { password } : {}) };
  if (kind === 'sentinel') return new Redis({ ...options, ...credentials, sentinels: nodes, name: name || 'mymaster' });
  return new Cluster(nodes, { redisOptions: { ...options, ...credentials } });
}
