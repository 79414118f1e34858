import { afterAll, beforeAll, expect, test } from 'vitest';
import { routes } from '../../src/api/routes.ts';
import { SCOPES } from '../../src/domain/caller.ts';
import { type Answer, call } from '../support/api.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

/** Written by hand, apart from the routes: what a key may do is a promise, and changes here alone where it is meant to. */
const CALLS = {
  'events:write': ['POST /events', 'DELETE /tenants/:tenant_id/events/:event_id/payload'],
  'events:read': ['GET /tenants/:tenant_id/events', 'GET /tenants/:tenant_id/events/:event_id'],
  'endpoints:write': [
    'POST /tenants/:tenant_id/endpoints',
    'PATCH /tenants/:tenant_id/endpoints/:endpoint_id',
    'DELETE /tenants/:tenant_id/endpoints/:endpoint_id',
    'POST /tenants/:tenant_id/endpoints/:endpoint_id/secret/rotate',
    'POST /tenants/:tenant_id/endpoints/:endpoint_id/validate',
    'POST /tenants/:tenant_id/endpoints/:endpoint_id/test',
    'POST /tenants/:tenant_id/endpoints/:endpoint_id/breaker/reset',
    'PATCH /tenants/:tenant_id/event-types/:type',
    'POST /tenants/:tenant_id/event-types/presets/:preset',
    'PUT /tenants/:tenant_id/event-types/:type/versions/:version',
    'PATCH /tenants/:tenant_id/event-types/:type/versions/:version',
  ],
  'endpoints:read': [
    'GET /tenants/:tenant_id/endpoints',
    'GET /tenants/:tenant_id/endpoints/:endpoint_id',
    'GET /tenants/:tenant_id/endpoints/:endpoint_id/secret',
    'GET /tenants/:tenant_id/endpoints/:endpoint_id/stats',
    'POST /tenants/:tenant_id/filters/test',
    'GET /tenants/:tenant_id/event-types',
    'GET /tenants/:tenant_id/event-types/:type',
    'GET /tenants/:tenant_id/event-types/:type/versions/:version',
    'GET /tenants/:tenant_id/event-types/:type/diff',
    'GET /tenants/:tenant_id/audit',
  ],
  'deliveries:write': [
    'POST /tenants/:tenant_id/endpoints/:endpoint_id/paused-keys/resume',
    'POST /tenants/:tenant_id/deliveries/:delivery_id/retry',
    'POST /tenants/:tenant_id/deliveries/:delivery_id/cancel',
    'POST /tenants/:tenant_id/dead-letters/redrive',
    'POST /tenants/:tenant_id/dead-letters/purge',
    'POST /tenants/:tenant_id/replays',
    'DELETE /tenants/:tenant_id/replays/:replay_id',
  ],
  'deliveries:read': [
    'GET /tenants/:tenant_id/endpoints/:endpoint_id/paused-keys',
    'GET /tenants/:tenant_id/events/:event_id/deliveries',
    'GET /tenants/:tenant_id/deliveries',
    'GET /tenants/:tenant_id/deliveries/:delivery_id',
    'GET /tenants/:tenant_id/deliveries/:delivery_id/attempts',
    'GET /tenants/:tenant_id/dead-letters',
    'GET /tenants/:tenant_id/dead-letters/stats',
    'GET /tenants/:tenant_id/dead-letters/:delivery_id',
    'GET /tenants/:tenant_id/replays',
    'GET /tenants/:tenant_id/replays/:replay_id',
  ],
} as const;

const OPERATOR_CALLS = [
  'POST /tenants',
  'GET /tenants',
  'GET /tenants/:tenant_id',
  'PATCH /tenants/:tenant_id',
  'DELETE /tenants/:tenant_id',
  'POST /tenants/:tenant_id/keys',
  'GET /tenants/:tenant_id/keys',
  'DELETE /tenants/:tenant_id/keys/:key_id',
  'GET /set-aside-deliveries',
  'POST /sources',
  'GET /sources',
  'GET /sources/:source_id',
  'DELETE /sources/:source_id',
  'POST /sources/:source_id/pause',
  'POST /sources/:source_id/resume',
  'GET /sources/:source_id/rejected',
  'GET /sources/:source_id/rejected/:message_id',
  'POST /sources/:source_id/rejected/retry',
  'POST /sources/:source_id/rejected/discard',
];

/** For whoever has a key, whatever it may do. */
const ANYBODYS_CALLS = ['GET /key'];

const scoped = SCOPES.flatMap((scope) => CALLS[scope].map((name) => ({ name, scope })));

let service: TestService;
let makeKey: (scopes: readonly string[]) => Promise<string>;

beforeAll(async () => {
  service = await startTestService();
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
  makeKey = async (scopes) =>
    (await call(service.baseUrl, 'POST', '/v1/tenants/acme/keys', { scopes })).body.key as string;
});

afterAll(() => service.stop());

/** With ids that name nothing and a body that is none: whoever may not call hears of neither. */
function knock(name: string, key: string): Promise<Answer> {
  const [method, path] = name.split(' ') as [string, string];
  const named = path.replace(':tenant_id', 'acme').replaceAll(/:\w+/g, 'none');
  const body = method === 'GET' ? undefined : '{';
  return call(service.baseUrl, method, `/v1${named}`, body, { authorization: `Bearer ${key}` });
}

test('G7: every call of the API is here, once', () => {
  const listed = [...scoped.map(({ name }) => name), ...OPERATOR_CALLS, ...ANYBODYS_CALLS].sort();
  const mounted = routes.map(({ method, path }) => `${method.toUpperCase()} ${path.slice('/v1'.length)}`);
  expect(listed).toEqual([...mounted, 'POST /events'].sort());
});

test.each(SCOPES)(
  'G7: what is for keys with %s is refused to one with all the others, and to no other',
  async (scope) => {
    const lacking = await makeKey(SCOPES.filter((other) => other !== scope));
    const refused: string[] = [];
    for (const { name } of scoped) {
      const { status, body } = await knock(name, lacking);
      if (status === 403 && body.code === 'missing_scope') refused.push(name);
    }
    expect(refused).toEqual(CALLS[scope]);
  },
);

test.each(OPERATOR_CALLS)('G7: %s is for operators alone, whatever scopes a key of a tenant has', async (name) => {
  expect(await knock(name, await makeKey(SCOPES))).toMatchObject({ status: 403, body: { code: 'forbidden' } });
});

test('G7: a key hears whose it is and what it may do, and nothing of others', async () => {
  const key = await makeKey(['events:read']);
  const [{ id }] = (await call(service.baseUrl, 'GET', '/v1/tenants/acme/keys?limit=1')).body.data;
  expect((await knock('GET /key', key)).body).toEqual({
    kind: 'tenant',
    id,
    tenant_id: 'acme',
    scopes: ['events:read'],
  });
  expect((await call(service.baseUrl, 'GET', '/v1/key')).body).toEqual({
    kind: 'operator',
    id: null,
    tenant_id: null,
    scopes: [...SCOPES],
  });
  expect((await knock('GET /key', 'pho_nobodys')).status).toBe(401);
  expect((await call(service.baseUrl, 'DELETE', `/v1/tenants/acme/keys/${id}`)).status).toBe(204);
  expect((await knock('GET /key', key)).status).toBe(401);
});
