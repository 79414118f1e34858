import pg from 'pg';
import { onTestFinished, test } from 'vitest';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { startPostgresProcess } from '../support/postgres-process.ts';
import { createEndpoint, type Stage, stageForTest, TENANT } from '../support/stage.ts';

/** The lock under which BullMQ prepares its tables in Postgres. */
const BULLMQ_LOCK = `x'42554c4c'::int`;

/** From now on queues that start on this Postgres wait, until it dies. */
async function holdQueues(stage: Stage): Promise<{ untilHeld(queues: number): Promise<unknown> }> {
  const holder = new pg.Client({ connectionString: stage.databaseUrl });
  holder.on('error', () => {});
  await holder.connect();
  await holder.query(`SELECT pg_advisory_lock(${BULLMQ_LOCK}, hashtext('bullmq'))`);
  return {
    untilHeld: (queues) =>
      eventually(
        () => stage.query(`SELECT 1 FROM pg_locks WHERE classid = ${BULLMQ_LOCK} AND NOT granted`),
        (rows) => rows.length >= queues,
      ),
  };
}

test('F57: Postgres killed while the queues start on it: the process answers, and its heartbeat, doorbell and deliveries come back by themselves', async () => {
  const postgres = await startPostgresProcess();
  onTestFinished(() => postgres.close());
  const stage = await stageForTest({ databaseUrl: postgres.url, env: { REDIS_URL: '' } });
  const queues = await holdQueues(stage);
  const { baseUrl } = await stage.start('api,worker');
  // Two to ring with and two to listen.
  await queues.untilHeld(4);
  await postgres.crash();
  // Each queue's start fails now. A process that does nothing else any more would not answer.
  await eventually(
    () => fetch(`${baseUrl}/readyz`, { signal: AbortSignal.timeout(10_000) }),
    ({ status }) => status === 503,
  );
  await postgres.start();
  const [{ now }] = await stage.query('SELECT now()::text AS now');
  await eventually(
    () => stage.query('SELECT 1 FROM workers WHERE seen_at > $1', [now]),
    (rows) => rows.length === 1,
  );
  await eventually(
    () => stage.query(`SELECT 1 FROM bullmq.meta WHERE queue = 'lanes'`).catch(() => []),
    (rows) => rows.length > 0,
  );
  await createEndpoint(baseUrl, { url: stage.receiver.url });
  await call(baseUrl, 'POST', '/v1/events', { type: 'a.b', tenant_id: TENANT, data: {} });
  await stage.receiver.received(1);
  // The sweeper would hide a ring that nobody sends or hears.
  await eventually(
    () => stage.query(`SELECT 1 FROM bullmq.event WHERE queue = 'lanes' AND event = 'active'`),
    (rows) => rows.length > 0,
  );
});
