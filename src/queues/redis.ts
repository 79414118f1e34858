import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import { readRedisAddress } from '../config/redis-address.ts';

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

/** `text` is what {@link readRedisAddress} reads. */
export function openRedis(text: string, more: RedisTuning): Redis | Cluster {
  const options = { ...RECONNECT, ...more };
  const address = readRedisAddress(text);
  if (address === null) throw new Error('REDIS_URL has a form that is not known');
  if (address.kind === 'one') return new Redis(text, options);
  const { nodes, login, isTls } = address;
  const tls = isTls ? { tls: {} } : {};
  if (address.kind === 'cluster') {
    // Certificates are of names, as nodes tell them where they have some.
    const asNamed: ClusterOptions = isTls ? { dnsLookup: (host, found) => found(null, host) } : {};
    return new Cluster([...nodes], { ...asNamed, redisOptions: { ...options, ...login, ...tls } });
  }
  const sentinelTls = isTls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {};
  const { master: name, sentinelLogin } = address;
  return new Redis({ ...options, ...login, ...sentinelLogin, ...tls, ...sentinelTls, sentinels: [...nodes], name });
}

/**
 * BullMQ's keys must not be evicted: a ring that vanishes costs latency, but half a job confuses every worker.
 * @returns what is wrong and what to do, or null
 */
export async function evictionProblem(client: Redis | Cluster): Promise<string | null> {
  const policy = /maxmemory_policy:(\S+)/.exec(await client.info('memory'))?.[1] ?? 'noeviction';
  return policy === 'noeviction' ? null : `Redis evicts keys (maxmemory-policy ${policy}). Set it to noeviction.`;
}
