import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { PoolerError } from '../../src/store/check-pooler.ts';
import { explainDatabase } from '../../src/store/database-error.ts';
import { migrate } from '../../src/store/migrate.ts';
import { prepareDatabase } from '../../src/store/prepare-database.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { requirePgbouncer, startPgbouncer } from '../support/pgbouncer-process.ts';
import { query } from '../support/query.ts';
import { startReceiver } from '../support/receiver.ts';
import { createTestDatabase } from '../support/test-database.ts';
import { TEST_LANES } from '../support/test-server.ts';
import { type LogLine, startTestService } from '../support/test-service.ts';

/** What docs/operations.md asks for. */
const PASS_OVER =
  'ignore_startup_parameters = options, statement_timeout, lock_timeout, idle_in_transaction_session_timeout';

beforeEach(requirePgbouncer);

async function throughPgbouncer(settings: readonly string[]) {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const pgbouncer = await startPgbouncer(database.url, settings);
  onTestFinished(() => pgbouncer.close());
  return { direct: database.url, url: pgbouncer.url };
}

test('through a PgBouncer as it is installed, the start says which of its settings to change', async () => {
  const { url } = await throughPgbouncer([]);
  const error = await prepareDatabase(url, TEST_LANES).then(
    () => null,
    (failed: unknown) => explainDatabase(url, failed) as Error,
  );
  expect(error?.message).toMatch(
    /unsupported startup parameter.*ignore_startup_parameters = options, statement_timeout/,
  );
});

test('through a PgBouncer that pools transactions and carries no named statements over, nothing is started', async () => {
  const { url } = await throughPgbouncer(['pool_mode = transaction', PASS_OVER]);
  await expect(prepareDatabase(url, TEST_LANES)).rejects.toThrow(PoolerError);
  // Nor the next time, when its sessions have had the statement from others.
  await expect(prepareDatabase(url, TEST_LANES)).rejects.toThrow(/max_prepared_statements/);
});

test('through a PgBouncer that pools sessions, events are stored and delivered, and BullMQ rings on Postgres', async () => {
  const { url } = await throughPgbouncer(['pool_mode = session', 'default_pool_size = 100', PASS_OVER]);
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  const lines: LogLine[] = [];
  await prepareDatabase(url, TEST_LANES, true);
  const config = { REDIS_URL: undefined };
  const service = await startTestService({
    worker: true,
    databaseUrl: url,
    config,
    onLine: (line) => lines.push(line),
  });
  onTestFinished(() => service.stop());
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
  await call(service.baseUrl, 'POST', '/v1/tenants/acme/endpoints', { url: receiver.url });
  // Its retry is rung for, whether its lane is awake or not.
  const away = { url: `http://127.0.0.1:${await freePort()}/`, retry_schedule: [0, 1] };
  await call(service.baseUrl, 'POST', '/v1/tenants/acme/endpoints', away);
  const posted = await call(service.baseUrl, 'POST', '/v1/events', { type: 'a.b', tenant_id: 'acme', data: 1 });
  expect(posted.status).toBe(202);
  await receiver.received(1);
  // The sweeper would have found the delivery too.
  await eventually(
    () => query(url, `SELECT 1 FROM bullmq.event WHERE queue = 'lanes' AND event = 'active'`).catch(() => []),
    ({ length }) => length > 0,
  );
  expect(lines.filter(({ event }) => event === 'queue.failed' || event === 'work.failed')).toEqual([]);
});

test('migrations leave no lock behind with a session that a pooler gives to others', async () => {
  const { direct, url } = await throughPgbouncer(['pool_mode = transaction', PASS_OVER]);
  await query(direct, `DELETE FROM _prisma_migrations WHERE migration_name = '20261130093000_told_notices'`);
  for (const _ of [1, 2]) await expect(migrate(url)).rejects.toThrow(/^Migration \d+_\w+ failed and was rolled back/);
  const held = await query(
    direct,
    `SELECT l.objid FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database() WHERE l.locktype = 'advisory'`,
  );
  expect(held).toEqual([]);
});
