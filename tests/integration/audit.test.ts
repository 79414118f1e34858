import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { uuidTime } from '../../src/domain/ids.ts';
import { appendAuditRow } from '../../src/store/audit-row.ts';
import type { Queryable } from '../../src/store/in-transaction.ts';
import { call } from '../support/api.ts';
import { makeTenant } from '../support/log-fixture.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});

afterAll(() => service.stop());

const api = (method: string, path: string, body?: unknown, key?: string) =>
  call(service.baseUrl, method, path, body, key === undefined ? {} : { authorization: `Bearer ${key}` });

interface Entry {
  readonly id: string;
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly object: string;
  readonly before: unknown;
  readonly after: unknown;
}

async function audit(tenant: string, query = ''): Promise<{ data: Entry[]; next: string | null }> {
  return (await api('GET', `/v1/tenants/${tenant}/audit${query}`)).body;
}

test('every change of a tenant is on record: who, what, from what, to what, newest first', async () => {
  const tenant = '/v1/tenants/acme';
  await api('POST', '/v1/tenants', { id: 'acme', name: 'Acme' });
  const key = (await api('POST', `${tenant}/keys`, { name: 'ops' })).body;
  const { id } = (
    await api('POST', `${tenant}/endpoints`, { url: 'https://a.example/', headers: { A: 'v1', B: 'v1' } }, key.key)
  ).body;
  const endpoint = `${tenant}/endpoints/${id}`;
  await api('PATCH', endpoint, { timeout_seconds: 5, headers: { A: 'v2', B: 'v1' } }, key.key);
  await api('POST', `${endpoint}/secret/rotate`, { overlap_seconds: 60 }, key.key);
  await api('PATCH', tenant, { name: 'Acme Ltd' });
  await api('DELETE', endpoint);
  await api('DELETE', `${tenant}/keys/${key.id}`);
  const { data } = await audit('acme');
  const lines = data.map(({ actor, action, object, before, after }) => ({ actor, action, object, before, after }));
  expect(lines).toMatchObject([
    { actor: 'operator', action: 'key.revoked', object: key.id },
    { actor: 'operator', action: 'endpoint.deleted', object: id },
    {
      actor: 'operator',
      action: 'tenant.updated',
      object: 'acme',
      before: { name: 'Acme' },
      after: { name: 'Acme Ltd' },
    },
    { actor: key.id, action: 'endpoint.secret_rotated', object: id, after: { overlap_seconds: 60 } },
    {
      actor: key.id,
      action: 'endpoint.updated',
      object: id,
      before: { timeout_seconds: null, headers: ['A', 'B'] },
      after: { timeout_seconds: 5, headers: ['A', 'B'], headers_written: ['A'] },
    },
    {
      actor: key.id,
      action: 'endpoint.created',
      object: id,
      before: null,
      after: { url: 'https://a.example/', headers: ['A', 'B'] },
    },
    { actor: 'operator', action: 'key.created', object: key.id, after: { name: 'ops' } },
    { actor: 'operator', action: 'tenant.created', object: 'acme' },
  ]);
  expect(lines[4]!.before).toEqual({ timeout_seconds: null, headers: ['A', 'B'] });
});

test('the query of a URL, which may hold a token, is not on record, but that it changed is; the API shows it to those who may see the endpoint', async () => {
  await api('POST', '/v1/tenants', { id: 'queries' });
  const path = '/v1/tenants/queries/endpoints';
  const url = (query: string) => `https://a.example/hook${query}`;
  const { id } = (await api('POST', path, { url: url('?token=s3cret') })).body;
  await api('PATCH', `${path}/${id}`, { url: url('?token=s3cret2') });
  await api('PATCH', `${path}/${id}`, { url: 'https://b.example/?token=s3cret2' });
  await api('PATCH', `${path}/${id}`, { url: 'https://b.example/' });
  const { data } = await audit('queries');
  expect(data.map(({ before, after }) => ({ before, after })).slice(0, 4)).toEqual([
    { before: { url: 'https://b.example/?…' }, after: { url: 'https://b.example/', query_written: true } },
    { before: { url: url('?…') }, after: { url: 'https://b.example/?…' } },
    { before: { url: url('?…') }, after: { url: url('?…'), query_written: true } },
    { before: null, after: expect.objectContaining({ url: url('?…') }) },
  ]);
  expect(JSON.stringify(data)).not.toContain('s3cret');
  await api('PATCH', `${path}/${id}`, { url: url('?token=s3cret') });
  expect((await api('GET', `${path}/${id}`)).body.url).toBe(url('?token=s3cret'));
});

test('what was refused leaves no line', async () => {
  await api('POST', '/v1/tenants', { id: 'quiet' });
  const before = await audit('quiet');
  await api('POST', '/v1/tenants/quiet/endpoints', { url: 'https://a.example:25/' });
  await api('DELETE', '/v1/tenants/quiet/endpoints/ep_00000000000000000000000000');
  await api('DELETE', '/v1/tenants/quiet/keys/key_00000000000000000000000000');
  expect(await audit('quiet')).toEqual(before);
});

test('paging through changes gives each once, newest first, also when more come meanwhile', async () => {
  await api('POST', '/v1/tenants', { id: 'paged' });
  for (let i = 0; i < 4; i++) await api('POST', '/v1/tenants/paged/keys', {});
  const all = (await audit('paged')).data;
  expect(all).toHaveLength(5);
  const seen: Entry[] = [];
  let page = await audit('paged', '?limit=2');
  for (;;) {
    seen.push(...page.data);
    if (page.next === null) break;
    await api('POST', '/v1/tenants/paged/keys', {});
    page = await audit('paged', `?limit=2&cursor=${page.next}`);
  }
  expect(seen).toEqual(all);
});

test('the record cannot be rewritten', async () => {
  const { apiPool } = service.context;
  await expect(apiPool.query(`UPDATE audit_log SET actor = 'nobody'`)).rejects.toThrow('append-only');
  await expect(apiPool.query('DELETE FROM audit_log')).rejects.toThrow('append-only');
});

test('G8 changes are listed in the order in which they were made, however long a transaction waited before and whatever the clock of a process says', async () => {
  const tenant = await makeTenant(service, 'clocks');
  const pool = service.context.apiPool;
  const append = (client: Queryable, object: string) =>
    appendAuditRow(client, { tenantNum: tenant.num, actor: 'operator', action: 'delivery.retried', object });
  const waited = await pool.connect();
  onTestFinished(() => waited.release());
  await waited.query('BEGIN');
  const tomorrow = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 86_400_000);
  onTestFinished(() => tomorrow.mockRestore());
  await pool.query('SELECT pg_sleep(0.01)');
  await append(pool, 'first');
  await append(pool, 'second');
  tomorrow.mockRestore();
  await append(waited, 'third');
  await waited.query('COMMIT');
  const { data } = await audit('clocks');
  expect(data.slice(0, 3).map(({ object }) => object)).toEqual(['third', 'second', 'first']);
  const times = data.map(({ at }) => at);
  expect(times).toEqual(times.toSorted().reverse());
  for (const { id, at } of data) expect(Math.abs(uuidTime(id) - Date.parse(at))).toBeLessThan(10_000);
});
