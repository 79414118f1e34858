import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { partitionService } from '../../src/partition-service.ts';
import { DECISION } from '../../src/store/codes.ts';
import { listPartitions } from '../../src/store/partitions.ts';
import { prepareDatabase } from '../../src/store/prepare-database.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { logEvent, logWaiting, makeEndpoint, makeTenant } from '../support/log-fixture.ts';
import { TEST_LANES } from '../support/test-server.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});

afterAll(() => service.stop());

const query = (text: string, values: unknown[] = []) => service.context.apiPool.query(text, values);

test('G2 what waits for an endpoint that was deleted days ago, while no worker ran, is cancelled once one does, though it was set aside', async () => {
  const tenant = await makeTenant(service, 'acme');
  const endpoint = await makeEndpoint(service, tenant);
  await query(`UPDATE endpoints SET deleted_at = now() - interval '9 days' WHERE num = $1`, [endpoint.num]);
  await logWaiting(service, tenant, await logEvent(service, tenant), endpoint);
  await query(`UPDATE mailbox SET parked = true, due_at = 'infinity' WHERE endpoint_num = $1`, [endpoint.num]);
  const worker = await startTestService({ worker: true, databaseUrl: service.databaseUrl });
  onTestFinished(() => worker.stop());
  await eventually(
    () => query('SELECT decision FROM attempts WHERE endpoint_num = $1', [endpoint.num]),
    ({ rows }) => rows[0]?.decision === DECISION.cancel,
  );
});

test('events are taken in where no worker has run since the last day ahead was over', async () => {
  await makeTenant(service, 'alone');
  const post = () => call(service.baseUrl, 'POST', '/v1/events', { type: 'a.b', tenant_id: 'alone', data: 1 });
  for (const { name } of await listPartitions(service.context.apiPool)) await query(`DROP TABLE "${name}"`);
  expect((await post()).status).toBe(503);
  const partitions = partitionService(service.context);
  await partitions.start();
  onTestFinished(() => partitions.stop(1_000));
  await eventually(post, ({ status }) => status === 202);
});

test('a database that a later version has migrated is told by the migrations that this one does not know', async () => {
  expect(await prepareDatabase(service.databaseUrl, TEST_LANES)).toEqual({ unknownMigrations: [] });
  await query(
    `INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count) VALUES ('x', 'x', '29990101000000_wings', now(), 1)`,
  );
  expect(await prepareDatabase(service.databaseUrl, TEST_LANES)).toEqual({
    unknownMigrations: ['29990101000000_wings'],
  });
});
