import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { createQueueBackend } from '../../src/queues/backend.ts';
import { certificateOf } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import {
  type RedisGroup,
  startGuardedRedisCluster,
  startGuardedSentinelGroup,
  startRedisCluster,
  startSentinelGroup,
} from '../support/redis-groups.ts';
import { requireRedis } from '../support/redis-process.ts';

beforeEach((context) => requireRedis(context));

// As NODE_EXTRA_CA_CERTS does it for a process.
beforeAll(() => {
  const authorities = getCACertificates('default');
  setDefaultCACertificates([...authorities, certificateOf('ca')]);
  return () => setDefaultCACertificates(authorities);
});

/** As the doorbell has them. */
const consuming = { concurrency: 4, lockDuration: 30_000, stalledInterval: 15_000, maxStalledCount: 10, drainDelay: 5 };

/** A queue on the group: what was put in that is not out yet, and one more at a time. */
function openQueue({ url }: RedisGroup) {
  const backend = createQueueBackend({
    redisUrl: url,
    databaseUrl: 'postgresql://nobody@127.0.0.1:1/none',
    prefix: '{posthorn}',
    onError: () => {},
  });
  const rung = new Set<number>();
  const consumer = backend.consumer('lanes', async ({ data }) => void rung.add(data.ring as number), consuming);
  const producer = backend.producer('lanes');
  onTestFinished(async () => {
    await Promise.all([producer.close(), consumer.close()]);
    await backend.close();
  });
  let rings = 0;
  /** Rings until one of these is heard. What fails meanwhile is what the sweeper is for. */
  const untilHeard = async () => {
    rung.clear();
    const ring = async () => {
      await producer.add('ring', { ring: ++rings }, { removeOnComplete: true }).catch(() => {});
      return rung.size;
    };
    await eventually(ring, (heard) => heard > 0);
  };
  return { untilHeard, backend };
}

test.each([
  ['a Sentinel group', startSentinelGroup],
  ['a Sentinel group by TLS, with passwords of its own', startGuardedSentinelGroup],
  ['a Cluster', startRedisCluster],
  ['a Cluster by TLS', startGuardedRedisCluster],
])('on %s rings are heard, and again by themselves after the Redis that has the queue died', async (_, start) => {
  const group = await start();
  onTestFinished(() => group.close());
  const { untilHeard, backend } = openQueue(group);
  await untilHeard();
  const owner = await group.ownerOf('{posthorn}:probe');
  await owner.crash();
  await eventually(
    () => group.ownerOf('{posthorn}:probe').catch(() => owner),
    (now) => now !== owner && now !== undefined,
  );
  await untilHeard();
  expect(backend.problem()).toBeNull();
});
