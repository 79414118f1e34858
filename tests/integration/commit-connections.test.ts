import { afterAll, beforeAll, expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
});

afterAll(() => service.stop());

async function connections(): Promise<number> {
  const { rows } = await service.context.apiPool.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'posthorn-ingest'`,
  );
  return rows[0]!.n;
}

test('with the first event the connection is opened too that the next commit needs while the first is under way', async () => {
  expect(await connections()).toBe(0);
  const { status } = await call(service.baseUrl, 'POST', '/v1/events', { type: 'a.b', tenant_id: 'acme', data: 1 });
  expect(status).toBe(202);
  expect(await eventually(connections, (n) => n >= 2)).toBe(2);
});
