import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { Route } from '../../src/api/route.ts';
import { routes } from '../../src/api/routes.ts';
import type { TenantRef } from '../../src/domain/caller.ts';
import { deliveryIdOf, newId, newUuid, parseEventId } from '../../src/domain/ids.ts';
import { listAttempts } from '../../src/store/attempt-reads.ts';
import { DECISION, OUTCOME_CODES } from '../../src/store/codes.ts';
import { readEvent } from '../../src/store/event-reads.ts';
import { listPausedKeys, resumeKeys } from '../../src/store/paused-order-keys.ts';
import { type Answer, call } from '../support/api.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

/** Driven by the list of routes: a new route is tried without a line here, unless it names a kind of object that is not in `foreignIds`. */
let service: TestService;
let ownKey: string;
/** Ids of the other tenant, by the name that a path, query or body gives them. */
let foreignIds: Readonly<Record<string, string>>;

const url = 'https://receiver.example/';

beforeAll(async () => {
  service = await startTestService();
  for (const id of ['mine', 'theirs']) await call(service.baseUrl, 'POST', '/v1/tenants', { id });
  ownKey = (await call(service.baseUrl, 'POST', '/v1/tenants/mine/keys', {})).body.key;
  // Two of each kind, so that a page of one has a next.
  await makeObjects('theirs');
  foreignIds = await makeObjects('theirs');
});

afterAll(() => service.stop());

/** One object of each kind. */
async function makeObjects(tenant: string): Promise<Record<string, string>> {
  const { prisma } = service.context;
  const key = await call(service.baseUrl, 'POST', `/v1/tenants/${tenant}/keys`, {});
  const endpoint = await call(service.baseUrl, 'POST', `/v1/tenants/${tenant}/endpoints`, { url });
  const event = await call(service.baseUrl, 'POST', '/v1/events', { type: 'a', tenant_id: tenant, data: {} });
  // One that waits, and one that was given up.
  const dead = await call(service.baseUrl, 'POST', '/v1/events', { type: 'b', tenant_id: tenant, data: {} });
  const { num, tenantNum } = await prisma.endpoint.findUniqueOrThrow({ where: { id: endpoint.body.id } });
  await deadLetter(parseEventId(dead.body.id)!, num, tenantNum);
  const type = newId('evt', Date.now()).toLowerCase();
  const version = `/v1/tenants/${tenant}/event-types/${type}/versions/7.77`;
  await call(service.baseUrl, 'PUT', version, { schema: {} });
  const replay = await prisma.replay.create({ data: { id: newId('rpl', Date.now()), tenantNum, filter: {} } });
  return {
    key_id: key.body.id,
    endpoint_id: endpoint.body.id,
    event_id: event.body.id,
    delivery_id: deliveryIdOf(parseEventId(event.body.id)!, num),
    replay_id: replay.id,
    type,
    version: '7.77',
    preset: 'no-preset',
  };
}

async function deadLetter(eventUuid: string, endpointNum: number, tenantNum: number): Promise<void> {
  const key = [eventUuid, endpointNum];
  await service.context.apiPool.query('DELETE FROM mailbox WHERE event_id = $1 AND endpoint_num = $2', key);
  await service.context.apiPool.query(
    'INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision) VALUES ($1, now(), $2, $3, 1, $4, $5)',
    [...key, tenantNum, OUTCOME_CODES.timeout, DECISION.deadLetter],
  );
}

/** Bodies that would change something; every other route is called with an empty one. */
const bodies: Readonly<Record<string, unknown>> = {
  'post /v1/tenants/:tenant_id/endpoints': { url },
  'patch /v1/tenants/:tenant_id/endpoints/:endpoint_id': { enabled: false, url: 'https://elsewhere.example/' },
  'patch /v1/tenants/:tenant_id': { name: 'taken over' },
  'post /v1/tenants/:tenant_id/endpoints/:endpoint_id/test': { data: {} },
  'post /v1/tenants/:tenant_id/dead-letters/purge': { all: true },
  'put /v1/tenants/:tenant_id/event-types/:type/versions/:version': { schema: {}, validation: 'enforce' },
  'patch /v1/tenants/:tenant_id/event-types/:type': { validation: 'enforce' },
  'patch /v1/tenants/:tenant_id/event-types/:type/versions/:version': { state: 'archived' },
};

/** Queries that a route cannot do without. */
const queries: Readonly<Record<string, string>> = {
  'get /v1/tenants/:tenant_id/event-types/:type/diff': '?from=7.77&to=7.77',
};

function parametersOf(route: Route): string[] {
  return [...route.path.matchAll(/:(\w+)/g)].map((match) => match[1]!).filter((name) => name !== 'tenant_id');
}

function pathOf(route: Route, tenant: string): string {
  const path = route.path.replaceAll(/:(\w+)/g, (_, name: string) =>
    name === 'tenant_id' ? tenant : (foreignIds[name] ?? `no-${name}`),
  );
  return path + (queries[`${route.method} ${route.path}`] ?? '');
}

function knock(route: Route, path: string, key?: string): Promise<Answer> {
  const body = route.body === undefined ? undefined : (bodies[`${route.method} ${route.path}`] ?? {});
  return call(
    service.baseUrl,
    route.method.toUpperCase(),
    path,
    body,
    key === undefined ? {} : { authorization: `Bearer ${key}` },
  );
}

/** Everything that belongs to the other tenant, as text. */
async function theirRows(): Promise<string> {
  const tables = [
    'api_keys',
    'endpoints',
    'audit_log',
    'replays',
    'events',
    'attempts',
    'mailbox',
    'kept_events',
    'kept_dead_letters',
    'event_types',
  ];
  const parts = tables.map(
    (table) => `SELECT '${table}' || r::text AS row FROM ${table} r WHERE r.tenant_num = (SELECT num FROM them)`,
  );
  const { rows } = await service.context.apiPool.query<{ all: string }>(`
    WITH them AS (SELECT num FROM tenants WHERE id = 'theirs'), facts AS (
      SELECT t::text AS row FROM tenants t JOIN them USING (num)
      UNION ALL SELECT s::text FROM endpoint_secrets s JOIN endpoints e ON e.num = s.endpoint_num JOIN them ON e.tenant_num = them.num
      UNION ALL SELECT v::text FROM event_type_versions v JOIN event_types y ON y.num = v.type_num JOIN them ON y.tenant_num = them.num
      UNION ALL ${parts.join(' UNION ALL ')})
    SELECT string_agg(row, chr(10) ORDER BY row) AS all FROM facts`);
  return rows[0]!.all;
}

const inTenant = routes.filter((route) => route.path.includes(':tenant_id'));
/** A PUT makes what it names: under a tenant's own name it is nobody else's. */
const withObject = inTenant.filter((route) => parametersOf(route).length > 0 && route.method !== 'put');
const name = (route: Route) => `${route.method} ${route.path}` as const;

test('G7: every kind of object that a path names is tried here', () => {
  expect(withObject.length).toBeGreaterThan(0);
  const kinds = new Set(withObject.flatMap(parametersOf));
  expect([...kinds].filter((kind) => !(kind in foreignIds))).toEqual([]);
});

test.each(withObject.map((route) => [name(route), route] as const))(
  'G7: %s: no key reads or changes another tenant’s',
  async (_, route) => {
    const before = await theirRows();
    const inMine = (await knock(route, pathOf(route, 'mine'), ownKey)).status;
    expect(inMine).toBe(route.access === 'operator' ? 403 : 404);
    expect((await knock(route, pathOf(route, 'theirs'), ownKey)).status).toBe(404);
    // An operator reaches every tenant, but an object only under its own.
    expect((await knock(route, pathOf(route, 'mine'))).status).toBe(404);
    expect(await theirRows()).toBe(before);
  },
);

test.each(inTenant.map((route) => [name(route), route] as const))(
  'G7: %s: another tenant is as unknown as one that does not exist',
  async (_, route) => {
    const before = await theirRows();
    const theirs = await knock(route, pathOf(route, 'theirs'), ownKey);
    const nobodys = await knock(route, pathOf(route, 'nobody'), ownKey);
    expect(theirs).toMatchObject({ status: 404, body: { code: 'tenant_not_found' } });
    expect({ ...theirs.body, request_id: '' }).toEqual({ ...nobodys.body, request_id: '' });
    expect(await theirRows()).toBe(before);
  },
);

const lists = inTenant.filter(
  (route) =>
    route.method === 'get' && parametersOf(route).length === 0 && route.access !== 'operator' && takesCursor(route),
);

function takesCursor({ query }: Route): boolean {
  return query.safeParse({ cursor: 'any' }).success;
}

test.each(lists.map((route) => [name(route), route] as const))(
  'G7: %s: lists nothing of another tenant, filtered or not',
  async (_, route) => {
    const filters = Object.keys(
      (z.toJSONSchema(route.query, { io: 'input', unrepresentable: 'any' }) as { properties?: object }).properties ??
        {},
    );
    const queries = [
      '',
      ...filters.filter((filter) => filter in foreignIds).map((filter) => `?${filter}=${foreignIds[filter]}`),
    ];
    for (const query of queries) {
      const answer = await knock(route, `${pathOf(route, 'mine')}${query}`, ownKey);
      if (query === '') expect(answer.status).toBe(200);
      for (const id of Object.values(foreignIds)) expect(JSON.stringify(answer.body.data ?? [])).not.toContain(id);
    }
  },
);

test.each(lists.map((route) => [name(route), route] as const))(
  'G7: %s: a cursor of one tenant is refused by another',
  async (_, route) => {
    const theirs = await knock(route, `${pathOf(route, 'theirs')}?limit=1`);
    expect(theirs).toMatchObject({ status: 200, body: { next: expect.any(String) } });
    const answer = await knock(route, `${pathOf(route, 'mine')}?limit=1&cursor=${theirs.body.next}`, ownKey);
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ path: 'cursor' }] } });
  },
);

test('G7: an event that names another tenant is not stored for it', async () => {
  const before = await theirRows();
  const answer = await call(
    service.baseUrl,
    'POST',
    '/v1/events',
    { type: 'a', tenant_id: 'theirs', data: {} },
    { authorization: `Bearer ${ownKey}` },
  );
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(await theirRows()).toBe(before);
});

test('G7: rows are found under the number of their own tenant alone, also by those who rely on a look at the path', async () => {
  const { apiPool } = service.context;
  const [mine, theirs] = await Promise.all(['mine', 'theirs'].map((id) => service.context.findTenant(id)));
  const [endpointNum, kept, dead] = [await theirEndpointNum(), newUuid(Date.now()), newUuid(Date.now())];
  await apiPool.query(`INSERT INTO kept_events (id, tenant_num, type, body) VALUES ($1, $2, 'a', '{}')`, [
    kept,
    theirs!.num,
  ]);
  await deadLetter(dead, endpointNum, theirs!.num);
  await apiPool.query('INSERT INTO paused_keys (endpoint_num, order_key, event_id, seq) VALUES ($1, 0, $2, 1)', [
    endpointNum,
    dead,
  ]);
  const found = async (tenantNum: number) => [
    (await readEvent(apiPool, tenantNum, kept)) !== null,
    (await listAttempts(apiPool, tenantNum, { eventUuid: dead, endpointNum }, null, 9)).length,
    (await listPausedKeys(apiPool, tenantNum, endpointNum, null, 9)).length,
  ];
  expect(await found(theirs!.num)).toEqual([true, 1, 1]);
  expect(await found(mine!.num)).toEqual([false, 0, 0]);
  const resume = (tenant: TenantRef) =>
    resumeKeys(apiPool, tenant, { num: endpointNum, id: 'x', key: null }, 'operator');
  expect([await resume(mine!), await resume(theirs!)]).toEqual([0, 1]);
});

async function theirEndpointNum(): Promise<number> {
  const where = { id: foreignIds.endpoint_id! };
  return (await service.context.prisma.endpoint.findUniqueOrThrow({ where })).num;
}
