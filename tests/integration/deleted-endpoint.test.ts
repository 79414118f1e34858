import { afterAll, beforeAll, expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { logAttempt, logEvent, makeEndpoint, makeTenant } from '../support/log-fixture.ts';
import { queueReplays, replayerOf } from '../support/queue-replays.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});

afterAll(() => service.stop());

test('deleting an endpoint cancels what waits for it at once, whenever it would have been due', async () => {
  const { baseUrl } = service;
  await call(baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
  const endpoints = '/v1/tenants/acme/endpoints';
  const { body: gone } = await call(baseUrl, 'POST', endpoints, { url: 'https://example.com/a' });
  const { body: kept } = await call(baseUrl, 'POST', endpoints, { url: 'https://example.com/b' });
  await call(baseUrl, 'POST', '/v1/events', { type: 'a.b', tenant_id: 'acme', data: {} });
  await service.context.apiPool.query(`UPDATE mailbox SET due_at = now() + interval '10 hours', attempt = 5, step = 5`);
  expect((await call(baseUrl, 'DELETE', `${endpoints}/${gone.id}`)).status).toBe(204);
  const { body } = await call(baseUrl, 'GET', '/v1/tenants/acme/deliveries');
  const states = body.data.map((delivery: { endpoint_id: string; status: string }) => [
    delivery.endpoint_id,
    delivery.status,
  ]);
  expect(new Map(states)).toEqual(
    new Map([
      [gone.id, 'cancelled'],
      [kept.id, 'retrying'],
    ]),
  );
});

test.each(['its endpoint', 'all endpoints'])(
  'a replay for %s that was made before the endpoint was deleted queues nothing for it',
  async (whom) => {
    const tenant = await makeTenant(service, `replays-for-${whom.replace(' ', '-')}`);
    const endpoint = await makeEndpoint(service, tenant);
    const eventUuid = await logEvent(service, tenant);
    await logAttempt(service, tenant, eventUuid, endpoint, 1, 'delivered', 'done');
    const replays = `/v1/tenants/${tenant.id}/replays`;
    const asked = whom === 'its endpoint' ? { endpoint_id: endpoint.id } : {};
    const { body: replay } = await call(service.baseUrl, 'POST', replays, asked);
    await call(service.baseUrl, 'DELETE', `/v1/tenants/${tenant.id}/endpoints/${endpoint.id}`);
    await queueReplays(replayerOf(service.context.workerPool));
    const ended = await call(service.baseUrl, 'GET', `${replays}/${replay.id}`);
    expect(ended.body).toMatchObject({ state: 'completed', matched: 0 });
  },
);
