import { afterAll, beforeAll, expect, test } from 'vitest';
import { SCOPES } from '../../src/domain/caller.ts';
import { call } from '../support/api.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
});

afterAll(() => service.stop());

const keys = '/v1/tenants/acme/keys';
const api = (method: string, path: string, body?: unknown, key?: string) =>
  call(service.baseUrl, method, path, body, key === undefined ? {} : { authorization: `Bearer ${key}` });

test('a key is shown when it is made and never again, and the database cannot tell it', async () => {
  const made = await api('POST', keys, { name: 'producer' });
  expect(made).toMatchObject({ status: 201, body: { name: 'producer', scopes: [...SCOPES], expires_at: null } });
  const listed = await api('GET', keys);
  const { key, ...rest } = made.body;
  expect(listed.body.data).toContainEqual(rest);
  expect(JSON.stringify(listed.body)).not.toContain(key);
  const { rows } = await service.context.apiPool.query('SELECT k::text AS text FROM api_keys k');
  expect(rows.map((row) => row.text).join()).not.toContain(key.slice(-43));
});

test('a key may do what its scopes say, in its own tenant, and nothing else', async () => {
  const { key } = (await api('POST', keys, { scopes: ['endpoints:read', 'endpoints:read'] })).body;
  expect((await api('GET', '/v1/tenants/acme/endpoints', undefined, key)).status).toBe(200);
  expect(await api('POST', '/v1/tenants/acme/endpoints', {}, key)).toMatchObject({
    status: 403,
    body: { code: 'missing_scope' },
  });
  expect((await api('POST', '/v1/events', { type: 'a', data: 1 }, key)).status).toBe(403);
});

test('no tenant key makes, lists or revokes keys, whatever its scopes', async () => {
  const { id, key } = (await api('POST', keys, {})).body;
  expect((await api('POST', keys, {}, key)).status).toBe(403);
  expect((await api('GET', keys, undefined, key)).status).toBe(403);
  expect((await api('DELETE', `${keys}/${id}`, undefined, key)).status).toBe(403);
});

test('a revoked key is refused from then on, is listed no more, and cannot be revoked twice', async () => {
  const { id, key } = (await api('POST', keys, {})).body;
  const endpoints = '/v1/tenants/acme/endpoints';
  expect((await api('GET', endpoints, undefined, key)).status).toBe(200);
  expect((await api('DELETE', `${keys}/${id}`)).status).toBe(204);
  expect((await api('GET', endpoints, undefined, key)).status).toBe(401);
  expect((await api('DELETE', `${keys}/${id}`)).status).toBe(404);
  const listed = await api('GET', keys);
  expect(listed.body.data.map((each: { id: string }) => each.id)).not.toContain(id);
});

test('an expired key is refused', async () => {
  const { id, key, expires_at } = (await api('POST', keys, { expires_in_seconds: 60 })).body;
  expect(Date.parse(expires_at)).toBeGreaterThan(Date.now());
  await service.context.apiPool.query(`UPDATE api_keys SET expires_at = now() - interval '1 minute' WHERE id = $1`, [
    id,
  ]);
  expect((await api('GET', '/v1/tenants/acme/endpoints', undefined, key)).status).toBe(401);
});

test('an expiry is taken as a moment with any offset', async () => {
  const made = await api('POST', keys, { expires_at: '2035-01-01T02:00:00+02:00' });
  expect(made.body.expires_at).toBe('2035-01-01T00:00:00.000Z');
  const spelled = await api('POST', keys, { expires_at: '2034-12-31t23:59:60z' });
  expect(spelled.body.expires_at).toBe('2035-01-01T00:00:00.000Z');
});

test.each([
  [{ scopes: [] }, 'scopes'],
  [{ scopes: ['keys:write'] }, 'scopes.0'],
  [{ expires_at: '2020-01-01T00:00:00Z' }, 'expires_at'],
  [{ expires_at: 'tomorrow' }, 'expires_at'],
  [{ expires_at: '9999-12-31T00:00:00Z' }, 'expires_at'],
  [{ expires_in_seconds: 0 }, 'expires_in_seconds'],
  [{ expires_in_seconds: 1e9 }, 'expires_in_seconds'],
  [{ expires_at: '2035-01-01T00:00:00Z', expires_in_seconds: 5 }, 'expires_in_seconds'],
  [{ name: 'a\u0000b' }, 'name'],
  [{ name: ' ' }, 'name'],
  [{ key: 'mine' }, 'key'],
])('%j is refused at %s, and no key is made', async (body, path) => {
  const count = async () => (await service.context.apiPool.query('SELECT count(*) FROM api_keys')).rows[0].count;
  const before = await count();
  const answer = await api('POST', keys, body);
  expect(answer.status).toBe(422);
  expect(answer.body.errors.map((fault: { path: string }) => fault.path)).toEqual([path]);
  expect(await count()).toBe(before);
});

test('paging through keys gives each once, newest first', async () => {
  await api('POST', '/v1/tenants', { id: 'paged' });
  const made: string[] = [];
  for (let i = 0; i < 5; i++) made.push((await api('POST', '/v1/tenants/paged/keys', { name: `k${i}` })).body.id);
  const seen: string[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const page = await api('GET', `/v1/tenants/paged/keys?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
    seen.push(...page.body.data.map((key: { id: string }) => key.id));
    cursor = page.body.next;
  }
  expect(seen).toEqual(made.reverse());
});
