import { afterAll, beforeAll, expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { makeEndpoint, makeTenant, type TestEndpoint, type TestTenant } from '../support/log-fixture.ts';
import { query } from '../support/query.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;
let tenant: TestTenant;
let pinned: TestEndpoint;

const types = '/v1/tenants/acme/event-types';
const version = `${types}/a.b/versions/1.0`;
const api = (method: string, path: string, body?: unknown) => call(service.baseUrl, method, path, body);

beforeAll(async () => {
  service = await startTestService();
  tenant = await makeTenant(service, 'acme');
  await api('PUT', version, { schema: { type: 'object' } });
  pinned = await makeEndpoint(service, tenant, { versions: { 'a.b': '1' } });
});

afterAll(() => service.stop());

/** What rises where events are matched, or deliveries made, anew. */
async function versions(): Promise<object> {
  const [row] = await query(
    service.databaseUrl,
    'SELECT t.routing_version, t.types_version, e.version FROM tenants t JOIN endpoints e ON e.tenant_num = t.num WHERE e.num = $1',
    [pinned.num],
  );
  return row;
}

const linesOf = async (object: string) =>
  (
    await query(service.databaseUrl, `SELECT after FROM audit_log WHERE object = $1 ORDER BY id DESC LIMIT 1`, [object])
  )[0];

test.each<[string, string, object, string]>([
  ['a type’s description', `${types}/a.b`, { description: 'one', validation: 'warn' }, 'a.b'],
  ['a version’s description', version, { description: 'two', state: 'active' }, 'a.b@1.0'],
  ['a version’s example', version, { example: { id: 1 } }, 'a.b@1.0'],
])('G4: %s is changed and audited, and no event or delivery has to do with it', async (_what, path, patch, object) => {
  const before = await versions();
  const [name, value] = Object.entries(patch)[0]!;
  expect(await api('PATCH', path, patch)).toMatchObject({ status: 200, body: { [name]: value } });
  expect(await versions()).toEqual(before);
  expect(Object.keys((await linesOf(object)).after)).toEqual([name]);
});

test.each<[string, string, object]>([
  ['a type’s validation', `${types}/a.b`, { description: 'three', validation: 'enforce' }],
  ['a version’s state', version, { description: 'four', state: 'deprecated' }],
])('%s is what events and deliveries go by, whatever is changed with it', async (_what, path, patch) => {
  const before = await versions();
  expect(await api('PATCH', path, patch)).toMatchObject({ status: 200, body: patch });
  const after = await versions();
  for (const name of Object.keys(before)) expect(Reflect.get(after, name)).not.toBe(Reflect.get(before, name));
});

test('a version that is put again with another description and another mode of its type changes both', async () => {
  const before = await versions();
  const body = { schema: { type: 'object' }, description: 'five', validation: 'off' };
  expect((await api('PUT', version, body)).status).toBe(200);
  expect((await api('GET', `${types}/a.b`)).body).toMatchObject({
    validation: 'off',
    versions: [{ description: 'five' }],
  });
  expect(await versions()).not.toEqual(before);
});
