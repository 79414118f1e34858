import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { applySourcesFile, openSources } from '../../src/store/sources.ts';
import { loadTargets } from '../../src/store/targets.ts';
import { call } from '../support/api.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
  await api('POST', '/v1/tenants', { id: 'acme' });
});
afterAll(() => service.stop());

const endpoints = '/v1/tenants/acme/endpoints';
const api = (method: string, path: string, body?: unknown) => call(service.baseUrl, method, path, body);
const broker = { type: 'rabbitmq', hosts: ['rabbit.example'], exchange: 'events', username: 'u' };

async function create(settings: object): Promise<{ id: string; path: string; secret: string }> {
  const { status, body } = await api('POST', endpoints, settings);
  expect({ status, body }).toMatchObject({ status: 201 });
  return { id: body.id, path: `${endpoints}/${body.id}`, secret: body.secret };
}

/** Puts what no key opens in the place of a sealed value. */
async function spoil(column: 'headers_sealed' | 'destination_sealed', id: string): Promise<void> {
  await service.context.apiPool.query(`UPDATE endpoints SET ${column} = $2 WHERE id = $1`, [id, randomBytes(60)]);
}

async function spoilSecrets(id: string): Promise<void> {
  const text = 'UPDATE endpoint_secrets SET sealed = $2 FROM endpoints e WHERE e.num = endpoint_num AND e.id = $1';
  await service.context.apiPool.query(text, [id, randomBytes(60)]);
}

/** What deliveries have to go by. */
async function loaded(id: string) {
  const { apiPool, vault } = service.context;
  const { rows } = await apiPool.query<{ num: number }>('SELECT num FROM endpoints WHERE id = $1', [id]);
  const defaults = { retryScheduleMs: [0], timeoutMs: 1, maxInFlight: 1 };
  return (await loadTargets(apiPool, vault, defaults, [rows[0]!.num])).get(rows[0]!.num)!;
}

async function lastAudited() {
  return (await api('GET', '/v1/tenants/acme/audit?limit=1')).body.data[0];
}

test('headers that do not open hide no endpoint; they are named, other settings may be changed, and new ones take their place', async () => {
  const { id, path } = await create({ url: 'https://receiver.example/', headers: { 'X-A': 'kept-from-all' } });
  const other = await create({ url: 'https://other.example/' });
  await spoil('headers_sealed', id);
  const listed = (await api('GET', endpoints)).body.data;
  expect(listed.slice(0, 2).map((endpoint: { id: string }) => endpoint.id)).toEqual([other.id, id]);
  expect(listed[0]).not.toHaveProperty('unreadable');
  expect(listed[1]).toMatchObject({
    url: 'https://receiver.example/',
    headers: { '***': '***' },
    unreadable: ['headers'],
  });
  expect((await api('GET', path)).body).toEqual(listed[1]);
  const described = await api('PATCH', path, { description: 'still here' });
  expect(described).toMatchObject({ status: 200, body: { description: 'still here', unreadable: ['headers'] } });
  expect(await loaded(id)).toMatchObject({ kind: 'unusable' });
  // What is shown in their place, with another or without, is no value to take theirs.
  for (const headers of [described.body.headers, { ...described.body.headers, 'X-B': 'b' }])
    expect((await api('PATCH', path, { headers })).status).toBe(422);
  const mended = await api('PATCH', path, { headers: { 'X-B': 'b' } });
  expect(mended).toMatchObject({ status: 200, body: { headers: { 'X-B': 'b' } } });
  expect(mended.body).not.toHaveProperty('unreadable');
  expect(await lastAudited()).toMatchObject({ after: { headers: ['X-B'], headers_written: ['X-B'] } });
  expect((await lastAudited()).before).not.toHaveProperty('headers');
  expect(await loaded(id)).toMatchObject({ kind: 'target', target: { headers: { 'X-B': 'b' } } });
});

test('no headers at all take the place of some that do not open', async () => {
  const { id, path } = await create({ url: 'https://receiver.example/', headers: { 'X-A': 'a' } });
  await spoil('headers_sealed', id);
  expect((await api('PATCH', path, { headers: {} })).body).not.toHaveProperty('unreadable');
  expect(await loaded(id)).toMatchObject({ kind: 'target', target: { headers: {} } });
});

test('a password that does not open is asked for where the destination is sent without it, and not where it is not', async () => {
  const { id, path } = await create({ destination: { ...broker, password: 'hunter2-hunter2' } });
  await spoil('destination_sealed', id);
  const shown = (await api('GET', path)).body;
  expect(shown).toMatchObject({ destination: { type: 'rabbitmq', username: 'u' }, unreadable: ['password'] });
  expect(await api('PATCH', path, { description: 'broken' })).toMatchObject({ status: 200 });
  const { url, destination } = shown;
  expect(await api('PATCH', path, { url, destination })).toMatchObject({
    status: 422,
    body: { errors: [{ path: 'destination.password' }] },
  });
  const mended = await api('PATCH', path, { destination: { ...broker, password: 'another-password' } });
  expect(mended.status).toBe(200);
  expect(mended.body).not.toHaveProperty('unreadable');
  expect(await lastAudited()).toMatchObject({ after: { password_written: true } });
  expect(await loaded(id)).toMatchObject({ kind: 'target', target: { destination: { password: 'another-password' } } });
});

test('secrets that do not open are dropped by a rotation without an overlap, which the audit log says', async () => {
  const { id, path } = await create({ url: 'https://receiver.example/' });
  await api('POST', `${path}/secret/rotate`);
  await spoilSecrets(id);
  expect((await api('GET', `${path}/secret`)).body).toMatchObject({ code: 'secret_unreadable' });
  const rotated = await api('POST', `${path}/secret/rotate`, { overlap_seconds: 0 });
  expect(rotated).toMatchObject({ status: 200, body: { previous: [] } });
  expect((await api('GET', `${path}/secret`)).body).toEqual(rotated.body);
  expect(await loaded(id)).toMatchObject({ kind: 'target', target: { secrets: [rotated.body.secret] } });
  expect((await lastAudited()).after).toEqual({ overlap_seconds: 0, dropped_unreadable: 2 });
});

test('a rotation with an overlap changes nothing where a secret does not open: it is to sign on, and will when its key is given', async () => {
  const { id, path, secret: first } = await create({ url: 'https://receiver.example/' });
  const { secret } = (await api('POST', `${path}/secret/rotate`)).body;
  const { apiPool } = service.context;
  const current = `FROM endpoints e WHERE e.num = endpoint_num AND e.id = $1 AND expires_at IS NULL`;
  const { sealed } = (
    await apiPool.query(
      `SELECT sealed FROM endpoint_secrets s, endpoints e WHERE e.num = s.endpoint_num AND e.id = $1 AND expires_at IS NULL`,
      [id],
    )
  ).rows[0];
  await apiPool.query(`UPDATE endpoint_secrets SET sealed = $2 ${current}`, [id, randomBytes(60)]);
  for (const body of [{}, { overlap_seconds: 60 }])
    expect((await api('POST', `${path}/secret/rotate`, body)).body).toMatchObject({ code: 'secret_unreadable' });
  await apiPool.query(`UPDATE endpoint_secrets SET sealed = $2 ${current}`, [id, sealed]);
  expect(await loaded(id)).toMatchObject({ target: { secrets: [secret, first] } });
});

test('the secrets of a source of SOURCES_FILE that do not open are replaced by those of the file', async () => {
  const { apiPool, prisma, vault } = service.context;
  const secrets = { 'connection.sasl.password': 'from-the-file' };
  const wanted = [{ name: 'orders', type: 'kafka', plain: { type: 'kafka', name: 'orders' }, secrets }];
  await applySourcesFile(service.context, wanted);
  await apiPool.query('UPDATE sources SET secrets_sealed = $1', [randomBytes(60)]);
  expect(await applySourcesFile(service.context, wanted)).toEqual([]);
  const failed = vi.fn();
  expect(await openSources(prisma, vault, failed)).toMatchObject([{ name: 'orders', secrets }]);
  expect(failed).not.toHaveBeenCalled();
});
