import { afterAll, beforeAll, expect, test } from 'vitest';
import { createIntake } from '../../src/sources/create-intake.ts';
import { keepRejected } from '../../src/store/rejected-messages.ts';
import { createSource } from '../../src/store/sources.ts';
import { call } from '../support/api.ts';
import { query } from '../support/query.ts';
import { queueReplays, replayerOf } from '../support/queue-replays.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService({ config: { INGEST_DEADLINE_MS: 60_000 } });
});

afterAll(() => service.stop());

const api = (method: string, path: string, body?: unknown) => call(service.baseUrl, method, path, body);

/** Eight hundred networks that no text of `costly` is in, and that it would satisfy without any. */
const subscriptions = Array.from({ length: 8 }, (_, i) => ({
  filter: {
    data: { $or: Array.from({ length: 100 }, (_, k) => ({ n: [{ cidr: `10.${i}.${k}.0/24` }, { exists: false }] })) },
  },
}));

const costly = (key: string, tenantId?: string) => ({
  ...(tenantId === undefined ? {} : { tenant_id: tenantId }),
  type: 'a',
  data: { n: Array.from({ length: 20_000 }, (_, i) => `v${i}`) },
  metadata: { idempotency_key: key },
});
const usual = (key: string, tenantId?: string) => ({ ...costly(key, tenantId), data: { n: '10.0.0.1' } });

async function makeTenant(id: string): Promise<void> {
  expect(await api('POST', '/v1/tenants', { id })).toMatchObject({ status: 201 });
}

async function makeEndpoint(tenantId: string): Promise<string> {
  const made = await api('POST', `/v1/tenants/${tenantId}/endpoints`, { url: 'http://127.0.0.1:9/', subscriptions });
  expect(made).toMatchObject({ status: 201 });
  return made.body.id;
}

const eventsOf = (tenantId: string) =>
  query(service.databaseUrl, 'SELECT e.id FROM events e JOIN tenants t ON t.num = e.tenant_num WHERE t.id = $1', [
    tenantId,
  ]);

test('an event that filters of its tenant take too long for is refused, alone and in a batch, of which nothing is stored; what was stored before they came is a duplicate', async () => {
  await makeTenant('api');
  expect(await api('POST', '/v1/events', costly('before', 'api'))).toMatchObject({ status: 202 });
  await makeEndpoint('api');
  expect(await api('POST', '/v1/events', costly('one', 'api'))).toMatchObject({
    status: 422,
    body: { code: 'too_costly_to_route', detail: expect.stringMatching(/fewer values.*simpler filters/) },
  });
  const batch = [usual('a', 'api'), costly('before', 'api'), costly('two', 'api'), usual('b', 'api')];
  expect(await api('POST', '/v1/events', batch)).toMatchObject({
    status: 422,
    body: { code: 'invalid_batch', errors: [{ path: '2', code: 'too_costly_to_route' }] },
  });
  expect(await eventsOf('api')).toHaveLength(1);
  expect(await api('POST', '/v1/events', costly('before', 'api'))).toMatchObject({ status: 202 });
  expect(await api('POST', '/v1/events', usual('a', 'api'))).toMatchObject({ status: 202, body: { deliveries: 1 } });
  expect(await eventsOf('api')).toHaveLength(2);
});

test('a message of a source that filters take too long for is kept among the rejected, and its neighbours are events', async () => {
  await makeTenant('source');
  await makeEndpoint('source');
  const { accept, ingestLimits, apiPool, clock } = service.context;
  const description = { name: 'orders', type: 'kafka', origin: 'api', plain: {}, secrets: {} } as const;
  const { num } = (await createSource(service.context, description, 'operator'))!;
  const intake = createIntake({
    source: { id: 'src_1', name: 'orders', tenantId: 'source' },
    mapping: { format: 'envelope' },
    accept,
    limits: ingestLimits,
    reject: (messages, isRetry) =>
      keepRejected(apiPool, num, messages, { isRetry, publish: false, nowMs: clock.nowMs() }),
    onRejected: () => {},
    onTaken: () => {},
  });
  const message = (position: number, body: unknown) => ({
    ...{ position: `orders/0/${position}`, group: 'orders/0', attributes: new Map(), key: null },
    ...{ headers: new Map(), body: Buffer.from(JSON.stringify(body)), timestampMs: null },
  });
  await intake.take([message(1, usual('a')), message(2, costly('b')), message(3, usual('c'))]);
  expect(intake.counts()).toEqual({ events: 2, duplicates: 0, rejected: 1 });
  expect(await query(service.databaseUrl, 'SELECT position, reason FROM rejected_messages')).toEqual([
    { position: 'orders/0/2', reason: 'too_costly_to_route' },
  ]);
});

test('a replay to an endpoint whose filters take too long for an event passes it over, and ends', async () => {
  await makeTenant('replay');
  for (const event of [usual('a', 'replay'), costly('b', 'replay'), usual('c', 'replay')])
    expect(await api('POST', '/v1/events', event)).toMatchObject({ status: 202, body: { deliveries: 0 } });
  const endpoint = await makeEndpoint('replay');
  const body = { endpoint_id: endpoint };
  expect(await api('POST', '/v1/tenants/replay/replays', body)).toMatchObject({ status: 202 });
  await queueReplays(replayerOf(service.context.workerPool));
  const rows = await query(
    service.databaseUrl,
    'SELECT m.event_id FROM mailbox m JOIN tenants t ON t.num = m.tenant_num WHERE t.id = $1',
    ['replay'],
  );
  expect(rows).toHaveLength(2);
});
