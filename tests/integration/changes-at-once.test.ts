import pg from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { deliveryIdOf } from '../../src/domain/ids.ts';
import { call } from '../support/api.ts';
import { kafkaSource } from '../support/kafka-source.ts';
import { logEvent, logWaiting, makeEndpoint, makeTenant } from '../support/log-fixture.ts';
import { query } from '../support/query.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});

afterAll(() => service.stop());

const statusOf = async (method: string, path: string, body?: object) =>
  (await call(service.baseUrl, method, path, body)).status;

/** The same call so many times at once. @returns its answers' statuses, sorted */
const atOnce = async (times: number, method: string, path: string, body?: object) =>
  (await Promise.all(Array.from({ length: times }, () => statusOf(method, path, body)))).sort();

/** What the audit log has of an object, oldest first. */
const audited = (object: string) =>
  query(service.databaseUrl, 'SELECT action, before, after FROM audit_log WHERE object = $1 ORDER BY id', [object]);

const versionsOf = async (id: string) => {
  const text = 'SELECT routing_version::int AS routing, types_version::int AS types FROM tenants WHERE id = $1';
  return (await query(service.databaseUrl, text, [id]))[0];
};

/** Holds what the statement locks until what it returns is called. */
async function holding(statement: string): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: service.databaseUrl });
  await client.connect();
  onTestFinished(() => client.end());
  await client.query(`BEGIN; ${statement}`);
  return async () => void (await client.query('COMMIT'));
}

/** Resolves when so many sessions of the service wait for a lock. */
async function waiting(count: number): Promise<void> {
  const text = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  await expect.poll(async () => (await query(service.databaseUrl, text))[0].n, { timeout: 20_000 }).toBe(count);
}

test('versions of event types that are registered at once are all there, and each counted once', async () => {
  await makeTenant(service, 'typed');
  const before = await versionsOf('typed');
  const typesOnce = Array.from({ length: 24 }, (_, i) => `/v1/tenants/typed/event-types/a.b${i}/versions/1.0`);
  const oneType = Array.from({ length: 8 }, (_, i) => `/v1/tenants/typed/event-types/one.type/versions/${i}.0`);
  const paths = [...typesOnce, ...oneType];
  const statuses = await Promise.all(paths.map((path) => statusOf('PUT', path, { schema: {} })));
  expect(statuses).toEqual(Array(32).fill(201));
  expect(await versionsOf('typed')).toEqual({ routing: before.routing + 32, types: before.types + 32 });
});

test('what changes nothing, or is refused, leaves the versions as they are by which events under way are matched and checked', async () => {
  const tenant = await makeTenant(service, 'idle');
  const endpoint = await makeEndpoint(service, tenant);
  const root = '/v1/tenants/idle';
  await call(service.baseUrl, 'PUT', `${root}/event-types/a.b/versions/1.0`, { schema: {}, description: 'One.' });
  await call(service.baseUrl, 'PATCH', `${root}/event-types/a.b`, { description: 'A type.' });
  const before = await versionsOf('idle');
  for (const [method, path, body, status] of [
    ['PATCH', `${root}/endpoints/${endpoint.id}`, { enabled: true }, 200],
    ['PATCH', `${root}/endpoints/ep_nobody`, { enabled: true }, 404],
    ['DELETE', `${root}/endpoints/ep_nobody`, undefined, 404],
    ['PATCH', `${root}/event-types/a.b`, { description: 'A type.' }, 200],
    ['PATCH', `${root}/event-types/no.such`, { description: 'A type.' }, 404],
    ['PATCH', `${root}/event-types/a.b/versions/1.0`, { description: 'One.' }, 200],
    ['PUT', `${root}/event-types/a.b/versions/1.0`, { schema: {} }, 200],
  ] as const)
    expect([method, path, await statusOf(method, path, body)]).toEqual([method, path, status]);
  expect(await versionsOf('idle')).toEqual(before);
});

test('G8 a change that others make meanwhile is undone whole: ten that are the same are one, and one line', async () => {
  await makeTenant(service, 'same');
  const path = '/v1/tenants/same/event-types/c.d/versions/1.0';
  await call(service.baseUrl, 'PUT', path, { schema: {} });
  const before = await versionsOf('same');
  expect(await atOnce(10, 'PATCH', path, { state: 'deprecated' })).toEqual(Array(10).fill(200));
  expect((await audited('c.d@1.0')).map(({ action }) => action)).toEqual([
    'event_type_version.created',
    'event_type_version.updated',
  ]);
  expect((await versionsOf('same')).types).toBe(before.types + 1);
});

test('G8 changes of a tenant at once are on record one after the other, each from what was before it', async () => {
  await makeTenant(service, 'chain');
  await Promise.all(Array.from({ length: 10 }, (_, i) => statusOf('PATCH', '/v1/tenants/chain', { name: `n${i}` })));
  const lines = (await audited('chain')).filter(({ action }) => action === 'tenant.updated');
  expect(lines).toHaveLength(10);
  const [first, ...rest] = lines;
  let last = first!.after.name;
  // Lines of one moment are in no order: each name is the one before of one other.
  const next = new Map(rest.map(({ before, after }) => [before.name, after.name]));
  for (let i = 0; i < rest.length; i++) last = next.get(last) ?? last;
  expect(next.size).toBe(9);
  expect(last).toBe((await call(service.baseUrl, 'GET', '/v1/tenants/chain')).body.name);
});

test('G8 what is deleted by several at once is deleted by one, and once on record', async () => {
  await makeTenant(service, 'gone');
  const release = await holding(`SELECT 1 FROM tenants WHERE id = 'gone' FOR UPDATE`);
  const deleting = atOnce(3, 'DELETE', '/v1/tenants/gone');
  await waiting(3);
  await release();
  expect(await deleting).toEqual([204, 404, 404]);
  expect((await audited('gone')).filter(({ action }) => action === 'tenant.deleted')).toHaveLength(1);
  const description = kafkaSource('127.0.0.1:1', ['orders'], { tenant_id: undefined });
  const { body: source } = await call(service.baseUrl, 'POST', '/v1/sources', description);
  const held = await holding(`SELECT 1 FROM sources WHERE id = '${source.id}' FOR UPDATE`);
  const dropping = atOnce(3, 'DELETE', `/v1/sources/${source.id}`);
  await waiting(3);
  await held();
  expect(await dropping).toEqual([204, 404, 404]);
  expect((await audited(source.id)).filter(({ action }) => action === 'source.deleted')).toHaveLength(1);
});

test('nothing is changed, or on record, of a tenant that is deleted while the call is made', async () => {
  await makeTenant(service, 'leaving');
  const root = '/v1/tenants/leaving';
  await call(service.baseUrl, 'PUT', `${root}/event-types/a.b/versions/1.0`, { schema: {} });
  const count = async () =>
    (await query(service.databaseUrl, 'SELECT count(*)::int AS n FROM audit_log WHERE tenant_num IS NOT NULL'))[0].n;
  const before = await count();
  const release = await holding(`UPDATE tenants SET deleted_at = now() WHERE id = 'leaving'`);
  const calls = [
    statusOf('POST', `${root}/keys`, {}),
    statusOf('POST', `${root}/replays`, {}),
    statusOf('PATCH', root, { name: 'Later' }),
    statusOf('PATCH', `${root}/event-types/a.b`, { description: 'Later.' }),
  ];
  await waiting(calls.length);
  await release();
  expect(await Promise.all(calls)).toEqual([404, 404, 404, 404]);
  expect(await count()).toBe(before);
});

test('an endpoint that is deleted is said to be, though what waits for it cannot be cancelled yet', async () => {
  const tenant = await makeTenant(service, 'busy');
  const endpoint = await makeEndpoint(service, tenant);
  await holding('LOCK TABLE mailbox IN ACCESS EXCLUSIVE MODE');
  expect(await statusOf('DELETE', `/v1/tenants/busy/endpoints/${endpoint.id}`)).toBe(204);
});

test('a delivery of which nothing can be read is not cancelled: what is answered with 503 may be asked for again', async () => {
  const tenant = await makeTenant(service, 'blind');
  const endpoint = await makeEndpoint(service, tenant);
  const uuid = await logEvent(service, tenant);
  await logWaiting(service, tenant, uuid, endpoint);
  const id = deliveryIdOf(uuid, endpoint.num);
  const path = `/v1/tenants/blind/deliveries/${id}/cancel`;
  const release = await holding('LOCK TABLE endpoints IN ACCESS EXCLUSIVE MODE');
  expect(await statusOf('POST', path)).toBe(503);
  await release();
  expect(await audited(id)).toEqual([]);
  expect(await statusOf('POST', path)).toBe(202);
});

test('G4 events of a tenant are taken while its endpoints are changed by several at once, without a pause', async () => {
  const tenant = await makeTenant(service, 'restless');
  const endpoints = await Promise.all([1, 2, 3].map(() => makeEndpoint(service, tenant)));
  let isOver = false;
  const toggling = endpoints.map(async ({ id }) => {
    const path = `/v1/tenants/restless/endpoints/${id}`;
    for (let enabled = false; !isOver; enabled = !enabled) expect(await statusOf('PATCH', path, { enabled })).toBe(200);
  });
  const posted: number[] = [];
  for (let i = 0; i < 20; i++)
    posted.push(await statusOf('POST', '/v1/events', { type: 'a.b', tenant_id: 'restless', data: i }));
  isOver = true;
  await Promise.all(toggling);
  expect(posted).toEqual(Array(20).fill(202));
});

test('G4 events that are checked by their type are taken while event types are changed by several at once, without a pause', async () => {
  await makeTenant(service, 'retyped');
  const types = ['a.b', 'a.c', 'a.d'].map((type) => `/v1/tenants/retyped/event-types/${type}`);
  const schema = { type: 'integer' };
  for (const type of types)
    expect(await statusOf('PUT', `${type}/versions/1.0`, { schema, validation: 'enforce' })).toBe(201);
  let isOver = false;
  const describing = types.map(async (path) => {
    for (let i = 0; !isOver; i++) expect(await statusOf('PATCH', path, { description: `no. ${i}` })).toBe(200);
  });
  const posted: number[] = [];
  for (let i = 0; i < 20; i++)
    posted.push(await statusOf('POST', '/v1/events', { type: 'a.b', tenant_id: 'retyped', data: i }));
  isOver = true;
  await Promise.all(describing);
  expect(posted).toEqual(Array(20).fill(202));
});

test('G4 more changes at once than the API has connections wait for events that are being checked, and take these none', async () => {
  const small = await startTestService({ config: { DATABASE_API_CONNECTIONS: 2 } });
  onTestFinished(() => small.stop());
  await makeTenant(small, 'many');
  const type = (name: string, body: object) =>
    call(small.baseUrl, 'PUT', `/v1/tenants/many/event-types/${name}/versions/1.0`, body).then(({ status }) => status);
  const schema = { type: 'integer' };
  await type('a.b', { schema, validation: 'enforce' });
  let isOver = false;
  const registering = [1, 2, 3, 4, 5, 6].map(async (n) => {
    const statuses: number[] = [];
    for (let i = 0; !isOver; i++) statuses.push(await type(`t${n}.n${i}`, { schema }));
    return new Set(statuses);
  });
  const posted: number[] = [];
  const event = { type: 'a.b', tenant_id: 'many' };
  for (let i = 0; i < 10; i++)
    posted.push((await call(small.baseUrl, 'POST', '/v1/events', { ...event, data: i })).status);
  isOver = true;
  expect(posted).toEqual(Array(10).fill(202));
  expect(await Promise.all(registering)).toEqual(Array(6).fill(new Set([201])));
});
