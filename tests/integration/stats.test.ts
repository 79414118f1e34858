import { afterAll, beforeAll, expect, test } from 'vitest';
import { newUuid } from '../../src/domain/ids.ts';
import { ensurePartitions } from '../../src/store/partitions.ts';
import { call } from '../support/api.ts';
import { logAttempt, logEvent, logWaiting, makeEndpoint, makeTenant, type TestTenant } from '../support/log-fixture.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;
let tenant: TestTenant;

beforeAll(async () => {
  service = await startTestService();
  tenant = await makeTenant(service, 'acme');
});

afterAll(() => service.stop());

const stats = (id: string, of = 'acme') => call(service.baseUrl, 'GET', `/v1/tenants/${of}/endpoints/${id}/stats`);

test('an endpoint without a past has no rates, rather than perfect ones', async () => {
  const endpoint = await makeEndpoint(service, tenant);
  expect((await stats(endpoint.id)).body).toEqual({
    window_hours: 24,
    delivered: 0,
    failed_attempts: 0,
    dead_lettered: 0,
    cancelled: 0,
    success_rate: null,
    latency_ms: null,
    sampled: false,
    breaker: {
      state: 'closed',
      open_until: null,
      failures_in_a_row: 0,
      throttled_until: null,
      failing_since: null,
    },
    backlog: { pending: 0, retrying: 0, capped: false },
    dead_letters: { total: 0, by_reason: {}, capped: false },
  });
});

test('statistics count the endpoint’s own attempts on events of the last 24 hours, and its backlog', async () => {
  const endpoint = await makeEndpoint(service, tenant);
  const neighbour = await makeEndpoint(service, tenant);
  const old = Date.now() - 25 * 3_600_000;
  await ensurePartitions(service.context.apiPool, old, 0);
  const yesterday = newUuid(Date.now()).replace(
    /^.{13}/,
    () => `${old.toString(16).padStart(12, '0').slice(0, 8)}-${old.toString(16).padStart(12, '0').slice(8)}`,
  );
  await logEvent(service, tenant, 'too.old', yesterday);
  await logAttempt(service, tenant, yesterday, endpoint, 1, 'delivered', 'done');
  const [one, two, three, four] = [
    await logEvent(service, tenant),
    await logEvent(service, tenant),
    await logEvent(service, tenant),
    await logEvent(service, tenant),
  ];
  await logAttempt(service, tenant, one, endpoint, 1, 'rejected', 'retry');
  await logAttempt(service, tenant, one, endpoint, 2, 'delivered', 'done');
  await logAttempt(service, tenant, one, neighbour, 1, 'delivered', 'done');
  await logAttempt(service, tenant, two, endpoint, 1, 'timeout', 'deadLetter');
  await logAttempt(service, tenant, three, endpoint, 2, 'skipped', 'cancel');
  await logAttempt(service, tenant, four, endpoint, 3, 'delivered', 'done');
  await logWaiting(service, tenant, three, endpoint, 0);
  await logWaiting(service, tenant, two, endpoint, 1);
  expect((await stats(endpoint.id)).body).toMatchObject({
    delivered: 2,
    failed_attempts: 2,
    dead_lettered: 1,
    cancelled: 1,
    success_rate: 0.5,
    latency_ms: { p50: 20, p95: 30, p99: 30 },
    sampled: false,
    backlog: { pending: 1, retrying: 1, capped: false },
    // The one that timed out waits to be made again.
    dead_letters: { total: 0, by_reason: {} },
  });
});

test('another tenant’s endpoint has no statistics', async () => {
  const endpoint = await makeEndpoint(service, tenant);
  await makeTenant(service, 'other');
  for (const id of [endpoint.id, 'ep_x', `ep_${'0'.repeat(26)}`]) expect((await stats(id, 'other')).status).toBe(404);
});
