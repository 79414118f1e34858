import { expect, onTestFinished, test } from 'vitest';
import { DECISION } from '../../src/store/codes.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { makeEndpoint, makeTenant, type TestTenant } from '../support/log-fixture.ts';
import { scrape } from '../support/scrape.ts';
import { startTestService } from '../support/test-service.ts';

const TENANTS = 4;
const ENDPOINTS = 16;
const EVENTS = 3;

test('when names resolve for nobody, deliveries are put off without using up their schedule, and the metric says so', async () => {
  const service = await startTestService({
    worker: true,
    config: { CONNECT_TIMEOUT_SECONDS: 1, DELIVERY_TIMEOUT_SECONDS: 2 },
  });
  onTestFinished(() => service.stop());
  const tenants: TestTenant[] = [];
  for (let i = 0; i < TENANTS; i++) tenants.push(await makeTenant(service, `acme_${i}`));
  for (let i = 0; i < ENDPOINTS; i++)
    await makeEndpoint(service, tenants[i % TENANTS]!, { url: `http://receiver-${i}.invalid/` });
  for (const { id } of tenants) {
    const events = Array(EVENTS).fill({ type: 'a.b', tenant_id: id, data: {} });
    expect((await call(service.baseUrl, 'POST', '/v1/events', events)).status).toBe(202);
  }
  const putOff = () =>
    service.context.apiPool.query(
      'SELECT DISTINCT m.endpoint_num FROM attempts a JOIN mailbox m USING (endpoint_num, event_id) WHERE a.decision = $1 AND m.step < m.attempt',
      [DECISION.postpone],
    );
  await eventually(putOff, ({ rowCount }) => (rowCount ?? 0) > ENDPOINTS / 2);
  expect((await scrape(service.baseUrl)).sum('posthorn_egress_held')).toBe(1);
});
