import { Cluster, type RedisOptions } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { openRedis } from './redis.ts';

test.each([
  ["READONLY You can't write against a read only replica.", 2],
  // As Redis 6.2 says it of a script, and everything that BullMQ writes is one.
  ["ERR Error running script (call to f_1): @user_script:1: -READONLY You can't write against a read only replica.", 2],
  ["OOM command not allowed when used memory > 'maxmemory'.", false],
  ['ERR wrong number of arguments', false],
])(
  'a connection to a replica that was the primary is made anew, and the command sent again: %s',
  (message, expected) => {
    const client = openRedis('redis://127.0.0.1:1', {});
    client.on('error', () => {});
    onTestFinished(() => client.disconnect());
    expect(client.options).toMatchObject({ reconnectOnError: expect.any(Function) });
    const { reconnectOnError } = client.options as { reconnectOnError: (error: Error) => unknown };
    expect(reconnectOnError(new Error(message))).toBe(expected);
  },
);

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
