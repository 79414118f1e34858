import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import { readRedisAddress } from '../config/redis-address.ts';
import { isReplica } from './refusals.ts';

/** The connection settings that differ between our uses of Redis. */
export type RedisTuning = Pick<
  RedisOptions,
  | 'enableOfflineQueue'
  | 'maxRetriesPerRequest'
  | 'commandTimeout'
  | 'socketTimeout'
  | 'connectTimeout'
  | 'retryStrategy'
>;

/**
 * How long a connection may leave a command without an answer before it is given up, in ms. Otherwise the connection to a host that was lost
 * would be given up only by the kernel, after a quarter of an hour.
 */
const SILENT_MS = 6_000;
/**
 * The same for copies of a connection, with which BullMQ waits for jobs: for up to ten seconds at a time (its `maximumBlockTimeout`), and a
 * second later it gives up by itself.
 */
const WAITING_SILENT_MS = 15_000;

/** The least time between two reconnections because a replica answers, in ms: it may stay a replica for long. */
const REPLICA_PAUSE_MS = 2_000;

/** Reconnects quickly and for ever. */
const RECONNECT: RedisTuning = {
  connectTimeout: 5_000,
  socketTimeout: SILENT_MS,
  retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 6), 2_000),
};

/** `text` is what {@link readRedisAddress} reads. */
export function openRedis(text: string, more: RedisTuning): Redis | Cluster {
  const client = connect(text, more);
  if (client instanceof Cluster) {
    const duplicate = client.duplicate.bind(client);
    client.duplicate = (nodes, options) =>
      duplicate(nodes, { ...options, redisOptions: { ...options?.redisOptions, ...waiting(more) } });
  } else {
    const duplicate = client.duplicate.bind(client);
    client.duplicate = (override) => duplicate({ ...override, ...waiting(more) });
  }
  return client;
}

/** The options in which a copy of a connection differs from the original. */
function waiting(more: RedisTuning): Pick<RedisOptions, 'socketTimeout' | 'reconnectOnError'> {
  return { socketTimeout: WAITING_SILENT_MS, reconnectOnError: leaveReplica(more) };
}

/**
 * Reconnects when a primary has become a replica and answers READONLY, as its address may lead to the new primary by now. A command that
 * can wait for the new connection is sent again on it. Without an offline queue it cannot wait, and would fail because of that: so the
 * caller gets Redis's own error, by which refused writes are known.
 */
function leaveReplica({ enableOfflineQueue }: RedisTuning): (error: Error) => false | 1 | 2 {
  let leftAt = Number.NEGATIVE_INFINITY;
  return (error) => {
    if (!isReplica(error) || performance.now() - leftAt < REPLICA_PAUSE_MS) return false;
    leftAt = performance.now();
    return enableOfflineQueue === false ? 1 : 2;
  };
}

function connect(text: string, more: RedisTuning): Redis | Cluster {
  const options = { ...RECONNECT, ...more, reconnectOnError: leaveReplica(more) };
  const address = readRedisAddress(text);
  if (address === null) throw new Error('REDIS_URL has a form that is not known');
  if (address.kind === 'one') return new Redis(text, options);
  const { nodes, login, isTls } = address;
  const tls = isTls ? { tls: {} } : {};
  if (address.kind === 'cluster') {
    // Certificates are issued for names: connect to nodes by their names, where they tell any.
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
 * @throws Error when it is not known: Redis, or one of the masters of a Cluster, cannot be asked, and nothing is wrong with the others
 */
export async function evictionProblem(client: Redis | Cluster): Promise<string | null> {
  // A command that is sent to the Cluster as a whole is answered by any one of its nodes.
  const masters = client instanceof Cluster ? client.nodes('master') : [client];
  if (masters.length === 0) throw new Error('no master of the Cluster is known');
  const answers = await Promise.allSettled(masters.map(evictionPolicy));
  const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  const evicting = [...new Set(found)].filter((policy) => policy !== 'noeviction').sort();
  if (evicting.length > 0) return `Redis evicts keys (maxmemory-policy ${evicting.join(', ')}). Set it to noeviction.`;
  for (const answer of answers) if (answer.status === 'rejected') throw answer.reason;
  return null;
}

async function evictionPolicy(node: Redis): Promise<string> {
  return /maxmemory_policy:(\S+)/.exec(await node.info('memory'))?.[1] ?? 'noeviction';
}
