import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { createQueueBackend } from '../../src/queues/backend.ts';
import { eventually } from '../support/eventually.ts';
import { createTestDatabase } from '../support/test-database.ts';

/** As the doorbell has them. */
const consuming = { concurrency: 4, lockDuration: 6_000, stalledInterval: 3_000, maxStalledCount: 10, drainDelay: 5 };
/** The lock under which BullMQ prepares its tables in Postgres. */
const PREPARING = `pg_advisory_xact_lock(x'42554c4c'::int, hashtext('bullmq'))`;

/** A database of the test's own, in which nothing of BullMQ's is. */
async function databaseFor(): Promise<string> {
  const { url, drop } = await createTestDatabase();
  onTestFinished(drop);
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
    await Promise.all([producer.close(), consumer.close()]);
    await backend.close();
  };
  onTestFinished(close);
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

/** A transaction that holds a lock until it is told to end. */
async function hold(databaseUrl: string, sql: string): Promise<() => Promise<void>> {
  const holder = new pg.Client({ connectionString: databaseUrl });
  await holder.connect();
  let isOver = false;
  const end = async () => {
    if (!isOver) await holder.end();
    isOver = true;
  };
  onTestFinished(end);
  await holder.query(`BEGIN; ${sql}`);
  return end;
}

test('queues start while a backup reads their tables', async () => {
  const url = await databaseFor();
  const early = startQueues(url);
  await early.untilHeard();
  await early.close();
  await hold(url, 'LOCK TABLE bullmq.migration, bullmq.job, bullmq.meta IN ACCESS SHARE MODE');
  const late = startQueues(url);
  await late.untilHeard();
  expect(late.errors).toEqual([]);
});

test('queues whose tables cannot be prepared say so, and start once they can', async () => {
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
});

test('a ring that nobody can take, because its table is locked, fails', async () => {
  const url = await databaseFor();
  const { ring, untilHeard } = startQueues(url);
  await untilHeard();
  await hold(url, 'LOCK TABLE bullmq.job IN ACCESS EXCLUSIVE MODE');
  await expect(ring()).rejects.toThrow('lock timeout');
});
