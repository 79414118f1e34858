import { afterEach, beforeEach, expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaSource } from '../support/kafka-source.ts';
import { query } from '../support/query.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeEach(async () => {
  service = await startTestService({ ingest: true });
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
});
afterEach(() => service.stop());

const connection = {
  brokers: ['127.0.0.1:1'],
  sasl: { mechanism: 'SCRAM-SHA-256', username: 'me', password: 'hunter22' },
};
const create = (more: object = {}) =>
  call(service.baseUrl, 'POST', '/v1/sources', kafkaSource('127.0.0.1:1', ['orders'], { connection, ...more }));

test('a secret is never shown, is not in the database in the clear, and is in no audit entry', async () => {
  const { status, body } = await create();
  expect(status).toBe(201);
  expect(body).toMatchObject({ name: 'orders', origin: 'api', paused: false, consumers: [], lag: null });
  expect(body.config.connection.sasl).toEqual({ mechanism: 'SCRAM-SHA-256', username: 'me' });
  const read = await call(service.baseUrl, 'GET', `/v1/sources/${body.id}`);
  const rows = await query(service.databaseUrl, 'SELECT s.*, a.* FROM sources s JOIN audit_log a ON a.object = s.id');
  expect(rows[0]).toMatchObject({ action: 'source.created', actor: 'operator' });
  for (const each of [body, read.body, rows]) expect(JSON.stringify(each)).not.toContain('hunter22');
});

test('the name of a SASL mechanism is taken in any case and shown in upper case', async () => {
  const sasl = { ...connection.sasl, mechanism: 'scram-sha-256' };
  const { status, body } = await create({ connection: { ...connection, sasl } });
  expect([status, body.config.connection.sasl]).toEqual([201, { mechanism: 'SCRAM-SHA-256', username: 'me' }]);
});

test('sources are for operators alone', async () => {
  const { body } = await call(service.baseUrl, 'POST', '/v1/tenants/acme/keys', {
    name: 'k',
    scopes: ['events:write'],
  });
  const response = await fetch(`${service.baseUrl}/v1/sources`, { headers: { authorization: `Bearer ${body.key}` } });
  expect(response.status).toBe(403);
});

test('a name is taken once, and free again when its source is deleted', async () => {
  const { body } = await create();
  expect((await create()).status).toBe(409);
  expect((await call(service.baseUrl, 'DELETE', `/v1/sources/${body.id}`)).status).toBe(204);
  expect((await call(service.baseUrl, 'GET', `/v1/sources/${body.id}`)).status).toBe(404);
  expect((await create()).status).toBe(201);
  const { data } = (await call(service.baseUrl, 'GET', '/v1/sources')).body;
  expect(data.map(({ name }: { name: string }) => name)).toEqual(['orders']);
  expect((await call(service.baseUrl, 'GET', `/v1/sources/${body.id}/rejected`)).body).toEqual({
    data: [],
    next: null,
  });
});

test.each([
  ['an unknown tenant', { tenant_id: 'nobody' }, 'tenant_id'],
  ['topics and a pattern', { consume: { topics: ['a'], pattern: 'a', group: 'g' } }, 'consume'],
  ['an unknown field', { colour: 'red' }, 'colour'],
  ['its own dead letters', { on_rejected: { dead_letter_topic: 'orders' } }, 'on_rejected.dead_letter_topic'],
  ['a mapping from nowhere', { mapping: { format: 'mapped', type: 'nowhere:x' } }, 'mapping.type'],
])('%s is refused with its place', async (_what, more, path) => {
  const { status, body } = await create(more);
  expect(status).toBe(422);
  expect(body.errors.map((error: { path: string }) => error.path)).toContain(path);
});

test('rejected messages that are more than their tenant may send at once are tried again in parts', async () => {
  const limits = { events_per_second: 100, burst_events: 20 };
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'slow', limits });
  const { body } = await create({ tenant_id: 'slow' });
  await query(
    service.databaseUrl,
    `INSERT INTO rejected_messages (id, source_num, position, identity, message_group, reason, detail, body, body_bytes, truncated)
     SELECT gen_random_uuid(), num, 'orders/0/' || n, gen_random_uuid(), 'orders/0', 'invalid_event', '',
            convert_to('{"type":"order.created","data":{}}', 'UTF8'), 34, false
       FROM sources, generate_series(1, 30) AS n`,
  );
  const retry = await call(service.baseUrl, 'POST', `/v1/sources/${body.id}/rejected/retry`, {});
  expect(retry.body).toEqual({ messages: 30 });
  const left = () => query(service.databaseUrl, 'SELECT id FROM rejected_messages');
  await eventually(left, (rows) => rows.length < 30);
  const events = await query(service.databaseUrl, 'SELECT id FROM events');
  expect(events.length).toBeGreaterThanOrEqual(15);
});
