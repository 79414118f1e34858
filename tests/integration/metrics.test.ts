import { afterAll, beforeAll, expect, test } from 'vitest';
import { Metrics } from '../../src/observability/metrics.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { makeEndpoint, makeTenant, type TestTenant } from '../support/log-fixture.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { receiverPaths, statuses } from '../support/receiver-paths.ts';
import { type Scrape, scrape } from '../support/scrape.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;
let receiver: Receiver;
let tenant: TestTenant;

beforeAll(async () => {
  receiver = await startReceiver();
  service = await startTestService({ worker: true });
  tenant = await makeTenant(service, 'acme-of-the-metrics');
});

afterAll(async () => {
  await service.stop();
  await receiver.close();
});

const post = (type: string, more: Record<string, unknown> = {}) =>
  call(service.baseUrl, 'POST', '/v1/events', { type, tenant_id: tenant.id, data: {}, ...more });

const scraped = (satisfies: (found: Scrape) => boolean) => eventually(() => scrape(service.baseUrl), satisfies);

test('traffic changes the numbers: what was accepted, known already, refused, delivered, retried and dead-lettered', async () => {
  const paths = receiverPaths(receiver);
  paths.behave('/bad', statuses(500));
  await makeEndpoint(service, tenant, { url: paths.url('/good'), subscriptions: [{ types: ['good'] }] });
  await makeEndpoint(service, tenant, {
    url: paths.url('/bad'),
    subscriptions: [{ types: ['bad'] }],
    retry_schedule: [0, 0],
  });
  const before = await scrape(service.baseUrl);
  for (let i = 0; i < 5; i++) expect((await post('good', { id: `event-${i}` })).status).toBe(202);
  await post('good', { id: 'event-0' });
  await post('bad');
  await post('not a type');
  await post('good', { tenant_id: 'nobody' });
  const after = await scraped(
    (found) =>
      found.sum('posthorn_attempts_total', { outcome: 'delivered' }) === 5 &&
      found.sum('posthorn_dead_letters_total') === 1,
  );
  const grew = (name: string, labels?: Record<string, string>) => after.sum(name, labels) - before.sum(name, labels);
  expect({
    accepted: grew('posthorn_events_accepted_total'),
    queued: grew('posthorn_deliveries_queued_total'),
    duplicate: grew('posthorn_events_duplicate_total'),
    invalid: grew('posthorn_ingest_requests_refused_total', { code: 'invalid_event' }),
    unknown: grew('posthorn_ingest_requests_refused_total', { code: 'tenant_not_found' }),
    delivered: grew('posthorn_attempts_total', { outcome: 'delivered', decision: 'done' }),
    retried: grew('posthorn_attempts_total', { outcome: 'rejected', decision: 'retry' }),
    dead: grew('posthorn_attempts_total', { outcome: 'rejected', decision: 'dead_letter' }),
    attempts: grew('posthorn_attempt_duration_seconds_count'),
    latencies: grew('posthorn_delivery_latency_seconds_count'),
    settled: grew('posthorn_settle_attempts_sum'),
    committed: grew('posthorn_commit_events_sum'),
  }).toEqual({
    accepted: 6,
    queued: 6,
    duplicate: 1,
    invalid: 1,
    unknown: 1,
    delivered: 5,
    retried: 1,
    dead: 1,
    attempts: 7,
    latencies: 5,
    settled: 7,
    committed: 6,
  });
  expect(after.sum('posthorn_events_accepted_bytes_total')).toBeGreaterThan(100);
  expect(after.sum('posthorn_delivery_latency_seconds_sum')).toBeGreaterThan(0);
  for (const name of ['commit', 'settle', 'fetch'])
    expect(after.sum(`posthorn_${name}_duration_seconds_count`)).toBeGreaterThan(0);
});

test('what is under way shows while it is, and is gone afterwards', async () => {
  const answers: (() => void)[] = [];
  receiver.behave((_request, response) => void answers.push(() => response.writeHead(204).end()));
  await makeEndpoint(service, tenant, { url: receiver.url, subscriptions: [{ types: ['slow'] }] });
  await post('slow');
  const during = await scraped((found) => found.sum('posthorn_requests_in_flight') === 1);
  expect(during.sum('posthorn_deliveries_held')).toBe(1);
  expect(during.sum('posthorn_held_bytes')).toBeGreaterThan(0);
  expect(during.sum('posthorn_lanes_owned')).toBeGreaterThan(0);
  await eventually(
    async () => answers.length,
    (count) => count === 1,
  );
  answers[0]!();
  await scraped((found) => found.sum('posthorn_requests_in_flight') + found.sum('posthorn_deliveries_held') === 0);
});

test('what only Postgres knows is there, and so are pools, and what the process takes', async () => {
  const found = await scraped((each) => each.has('posthorn_installation_due_age_seconds'));
  expect(found.sum('posthorn_installation_lanes_crashed')).toBe(0);
  expect(found.sum('posthorn_postgres_connections', { pool: 'worker', state: 'total' })).toBeGreaterThan(0);
  expect(found.has('posthorn_postgres_connections_waited_for')).toBe(true);
  expect(found.sum('posthorn_process_resident_memory_bytes')).toBeGreaterThan(1e7);
  expect(found.sum('posthorn_build_info', { version: service.context.version })).toBe(1);
});

test('/metrics needs no key, tells nothing of tenants, and has few series', async () => {
  const found = await scrape(service.baseUrl);
  expect(found.contentType).toContain('text/plain; version=0.0.4');
  const known = new Map(new Metrics().descriptions.map(({ name, labels }) => [name, new Set<string>(labels)]));
  for (const { name, labels } of found.samples) {
    const described = known.get(name) ?? known.get(name.replace(/_(bucket|sum|count)$/, ''));
    const unknown = Object.keys(labels).filter((label) => label !== 'le' && described?.has(label) !== true);
    expect([name, described !== undefined, unknown]).toEqual([name, true, []]);
  }
  const text = await (await fetch(`${service.baseUrl}/metrics`)).text();
  const { rows } = await service.context.apiPool.query<{ id: string }>(
    'SELECT id FROM tenants UNION SELECT id FROM endpoints',
  );
  for (const { id } of rows) expect(text).not.toContain(id);
  expect(found.samples.length).toBeLessThan(500);
});
