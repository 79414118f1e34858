import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { createQueueBackend } from '../../src/queues/backend.ts';
import { eventually } from '../support/eventually.ts';
import { createTestDatabase } from '../support/test-database.ts';

/** As the doorbell has them. */
const consuming = { concurrency: 4, lockDuration: 6_000, stalledInterval: 3_000, maxStalledCount: 10, drainDelay: 5 };
/** What does not end by itself, as where a lock is waited for without a limit, fails rather than hangs. In ms. */
const [TEST_MS, CLOSE_MS] = [90_000, 20_000];
/** The lock under which BullMQ prepares its tables in Postgres. */
const PREPARING = `pg_advisory_xact_lock(x'42554c4c'::int, hashtext('bullmq'))`;

/** A database of the test's own, in which nothing of BullMQ's is. */
async function databaseFor(): Promise<string> {
  const { url, drop } = await createTestDatabase();
  onTestFinished(drop, CLOSE_MS);
  const end = await hold(url, 'DROP SCHEMA IF EXISTS bullmq CASCADE; COMMIT');
  await end();
  return url;
}

/** Queues of a process that starts now. */
function startQueues(databaseUrl: string) {
  const errors: string[] = [];
  const backend = createQueueBackend({
    redisUrl: undefined,
    databaseUrl,
    prefix: '{posthorn}',
    onError: ({ message }) => errors.push(message),
  });
  let heard = 0;
  const consumer = backend.consumer('lanes', async () => void heard++, consuming);
  const producer = backend.producer('lanes');
  let isClosed = false;
  const close = async () => {
    if (isClosed) return;
    isClosed = true;
    // They may wait for a lock.
    await endHolders();
    await Promise.all([producer.close(), consumer.close(), backend.close()]);
  };
  onTestFinished(close, CLOSE_MS);
  const ring = () => producer.add('ring', {}, { removeOnComplete: true, removeOnFail: true });
  const untilHeard = async () => {
    await ring();
    await eventually(
      async () => heard,
      (count) => count > 0,
    );
  };
  return { errors, ring, untilHeard, close };
}

/** Ends each transaction that holds a lock. */
const holders = new Set<() => Promise<void>>();
const endHolders = async () => void (await Promise.all([...holders].map((end) => end())));

/** A transaction that holds a lock until it is told to end. */
async function hold(databaseUrl: string, sql: string): Promise<() => Promise<void>> {
  const holder = new pg.Client({ connectionString: databaseUrl });
  await holder.connect();
  const end = async () => {
    if (holders.delete(end)) await holder.end();
  };
  holders.add(end);
  onTestFinished(end, CLOSE_MS);
  await holder.query(`BEGIN; ${sql}`);
  return end;
}

test(
  'queues start while a backup reads their tables',
  async () => {
    const url = await databaseFor();
    const early = startQueues(url);
    await early.untilHeard();
    await early.close();
    await hold(url, 'LOCK TABLE bullmq.migration, bullmq.job, bullmq.meta IN ACCESS SHARE MODE');
    const late = startQueues(url);
    await late.untilHeard();
    expect(late.errors).toEqual([]);
  },
  TEST_MS,
);

test(
  'queues whose tables cannot be prepared say so, and start once they can',
  async () => {
    const url = await databaseFor();
    const end = await hold(url, `SELECT ${PREPARING}`);
    const { errors, ring, untilHeard } = startQueues(url);
    await eventually(
      async () => errors,
      (told) => told.some((message) => message.includes('lock timeout')),
    );
    await end();
    await eventually(
      () =>
        ring().then(
          () => true,
          () => false,
        ),
      (isTaken) => isTaken,
    );
    await untilHeard();
  },
  TEST_MS,
);

test(
  'a ring that nobody can take, because its table is locked, fails',
  async () => {
    const url = await databaseFor();
    const { ring, untilHeard } = startQueues(url);
    await untilHeard();
    await hold(url, 'LOCK TABLE bullmq.job IN ACCESS EXCLUSIVE MODE');
    await expect(ring()).rejects.toThrow('lock timeout');
  },
  TEST_MS,
);
