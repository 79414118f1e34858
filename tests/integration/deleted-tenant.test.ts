import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensurePartitions } from '../../src/store/partitions.ts';
import { dropOldPartitions } from '../../src/store/retention.ts';
import { targetVersions } from '../../src/store/targets.ts';
import { call } from '../support/api.ts';
import { logAttempt, logEvent, makeEndpoint, makeTenant } from '../support/log-fixture.ts';
import { startTestService, type TestService } from '../support/test-service.ts';
import { uuidAt } from '../support/uuid-at.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});

afterAll(() => service.stop());

test('workers that know an endpoint hear of the deletion of its tenant: its version rises', async () => {
  const tenant = await makeTenant(service, 'leaving');
  const { num } = await makeEndpoint(service, tenant);
  const version = async () => (await targetVersions(service.context.workerPool, [num])).get(num)!;
  const known = await version();
  expect((await call(service.baseUrl, 'DELETE', '/v1/tenants/leaving')).status).toBe(204);
  expect(await version()).toBeGreaterThan(known);
});

test('dead letters of a deleted tenant go with their day, those of others are kept', async () => {
  const pool = service.context.workerPool;
  const oldMs = Date.now() - 40 * 86_400_000;
  await ensurePartitions(pool, oldMs, 0);
  for (const id of ['gone', 'staying']) {
    const tenant = await makeTenant(service, id);
    const endpoint = await makeEndpoint(service, tenant);
    const eventUuid = await logEvent(service, tenant, 'a.b', uuidAt(oldMs));
    await logAttempt(service, tenant, eventUuid, endpoint, 1, 'timeout', 'deadLetter');
  }
  await call(service.baseUrl, 'DELETE', '/v1/tenants/gone');
  await dropOldPartitions(pool, Date.now(), 30, 90);
  for (const table of ['kept_dead_letters', 'kept_events']) {
    const { rows } = await pool.query(`SELECT t.id FROM ${table} k JOIN tenants t ON t.num = k.tenant_num`);
    expect(rows).toEqual([{ id: 'staying' }]);
  }
});
