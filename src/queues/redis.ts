import { Cluster, Redis, type RedisOptions } from 'ioredis';

/** The connection settings that differ between our uses of Redis. */
export type RedisTuning = Pick<
  RedisOptions,
  | 'enableOfflineQueue'
  | 'maxRetriesPerRequest'
  | 'commandTimeout'
  | 'connectTimeout'
  | 'retryStrategy'
  | 'reconnectOnError'
>;

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

/**
 * BullMQ's keys must not be evicted: a ring that vanishes costs latency, but half a job confuses every worker.
 * @returns what is wrong and what to do, or null
 */
export async function evictionProblem(client: Redis | Cluster): Promise<string | null> {
  const policy = /maxmemory_policy:(\S+)/.exec(await client.info('memory'))?.[1] ?? 'noeviction';
  return policy === 'noeviction' ? null : `Redis evicts keys (maxmemory-policy ${policy}). Set it to noeviction.`;
}
