import { Cluster, type Redis, type RedisOptions } from 'ioredis';
import { expect, onTestFinished, test, vi } from 'vitest';
import { evictionProblem, openRedis } from './redis.ts';

const REPLICA = "READONLY You can't write against a read only replica.";

/** What is done about an error: 1 makes the connection anew, 2 sends the command again as well. */
function onError(client: ReturnType<typeof openRedis>) {
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  expect(client.options).toMatchObject({ reconnectOnError: expect.any(Function) });
  const { reconnectOnError } = client.options as { reconnectOnError: (error: Error) => unknown };
  return (message: string) => reconnectOnError(new Error(message));
}

test.each([
  [REPLICA, 2],
  // As Redis 6.2 says it of a script, and everything that BullMQ writes is one.
  [`ERR Error running script (call to f_1): @user_script:1: -${REPLICA}`, 2],
  ["OOM command not allowed when used memory > 'maxmemory'.", false],
  ['ERR wrong number of arguments', false],
])(
  'a connection to a replica that was the primary is made anew, and the command sent again: %s',
  (message, expected) => {
    expect(onError(openRedis('redis://127.0.0.1:1', {}))(message)).toBe(expected);
  },
);

test('where no command can wait for the new connection, it fails with what Redis said', () => {
  expect(onError(openRedis('redis://127.0.0.1:1', { enableOfflineQueue: false }))(REPLICA)).toBe(1);
});

test('to a Redis that stays a replica a connection is made anew every two seconds at most, each for itself', () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const client = openRedis('redis://127.0.0.1:1', {}) as Redis;
  const [first, copy] = [onError(client), onError(client.duplicate())];
  expect([first(REPLICA), copy(REPLICA), first(REPLICA), copy(REPLICA)]).toEqual([2, 2, false, false]);
  vi.advanceTimersByTime(1_999);
  expect(first(REPLICA)).toBe(false);
  vi.advanceTimersByTime(1);
  expect([first(REPLICA), first(REPLICA), copy(REPLICA)]).toEqual([2, false, 2]);
});

/** BullMQ waits for jobs on a copy for up to ten seconds, and gives up by itself a second later. */
const LONGEST_WAIT_MS = 11_000;

test.each([
  ['one Redis', 'redis://127.0.0.1:1'],
  ['a Cluster', 'redis+cluster://127.0.0.1:1'],
])(
  'of %s, connections that are silent are given up soon, and copies that wait for jobs are not given up while they may wait',
  (_, url) => {
    const client = openRedis(url, {});
    const copy = client instanceof Cluster ? client.duplicate() : client.duplicate();
    for (const each of [client, copy]) {
      each.on('error', () => {});
      onTestFinished(() => each.disconnect());
    }
    const silentMs = ({ options }: typeof client) =>
      'redisOptions' in options ? options.redisOptions!.socketTimeout : (options as RedisOptions).socketTimeout;
    expect(silentMs(client)).toBeLessThanOrEqual(8_000);
    expect(silentMs(copy)).toBeGreaterThan(LONGEST_WAIT_MS);
  },
);

/** A Cluster whose masters answer so about their memory, one after the other. */
function clusterOf(...policies: readonly (string | Error)[]): Cluster {
  const cluster = openRedis('redis+cluster://127.0.0.1:1', {}) as Cluster;
  cluster.on('error', () => {});
  onTestFinished(() => cluster.disconnect());
  const masters = policies.map((policy) => ({
    info: async () => {
      if (policy instanceof Error) throw policy;
      return `maxmemory_policy:${policy}\r\n`;
    },
  }));
  vi.spyOn(cluster, 'nodes').mockImplementation((role) => (role === 'master' ? masters : []) as unknown as Redis[]);
  // Any of them, as it happens.
  let asked = 0;
  vi.spyOn(cluster, 'info').mockImplementation(() => masters[asked++ % masters.length]!.info());
  return cluster;
}

const away = new Error('Connection is closed.');

test.each([
  [['noeviction', 'noeviction'], null],
  [['noeviction', 'allkeys-lru'], 'Redis evicts keys (maxmemory-policy allkeys-lru). Set it to noeviction.'],
  [
    ['volatile-lru', 'noeviction', 'allkeys-lru', 'volatile-lru'],
    'Redis evicts keys (maxmemory-policy allkeys-lru, volatile-lru). Set it to noeviction.',
  ],
  [[away, 'allkeys-lru'], 'Redis evicts keys (maxmemory-policy allkeys-lru). Set it to noeviction.'],
])('each master of a Cluster is asked whether it evicts keys: %j', async (policies, expected) => {
  const cluster = clusterOf(...policies);
  for (let times = 0; times < 3; times++) expect(await evictionProblem(cluster)).toBe(expected);
});

test.each([[['noeviction', away]], [[]]])(
  'what a Cluster evicts is not known while a master is away, or all: %j',
  async (policies) => {
    await expect(evictionProblem(clusterOf(...policies))).rejects.toThrow();
  },
);
