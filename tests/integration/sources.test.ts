import { afterEach, beforeEach, expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { kafkaSource } from '../support/kafka-source.ts';
import { query } from '../support/query.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeEach(async () => {
  service = await startTestService();
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
  ['a mapping from nowhere', { mapping: { format: 'mapped', type: 'nowhere:x' } }, 'mapping.type'],
])('%s is refused with its place', async (_what, more, path) => {
  const { status, body } = await create(more);
  expect(status).toBe(422);
  expect(body.errors.map((error: { path: string }) => error.path)).toContain(path);
});
