import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { uuidFloor } from '../../src/domain/ids.ts';
import { inTransaction } from '../../src/store/in-transaction.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;
let other: TestService;
let receiver: Receiver;
let tenants = 0;

beforeAll(async () => {
  service = await startTestService({ worker: true });
  // A second process, with caches of its own.
  other = await startTestService({ databaseUrl: service.databaseUrl });
  receiver = await startReceiver();
});

afterAll(async () => {
  await other.stop();
  await service.stop();
  await receiver.close();
});

const api = (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
  call(service.baseUrl, method, path, body, headers);

async function newTenant(): Promise<string> {
  const tenant = `types-${++tenants}`;
  await api('POST', '/v1/tenants', { id: tenant });
  return tenant;
}

const place = (tenant: string, type: string, version: string) =>
  `/v1/tenants/${tenant}/event-types/${type}/versions/${version}`;

const post = (tenant: string, fields: object, baseUrl = service.baseUrl) =>
  call(baseUrl, 'POST', '/v1/events', { tenant_id: tenant, ...fields });

const payment = {
  type: 'object',
  required: ['id', 'amount'],
  properties: { id: { type: 'string' }, amount: { type: 'number', minimum: 0 } },
};

test('a registered version is shown as it was written, listed, and registered again without a change', async () => {
  const tenant = await newTenant();
  const body = { schema: payment, description: 'A payment', example: { id: 'p', amount: 1.5 } };
  const created = await api('PUT', place(tenant, 'payment.captured', '1.0'), body);
  expect(created).toMatchObject({
    status: 201,
    body: { type: 'payment.captured', version: '1.0', state: 'active', casts: null, ...body },
  });
  expect((await api('PUT', place(tenant, 'payment.captured', '1.0.0'), body)).status).toBe(200);
  const list = await api('GET', `/v1/tenants/${tenant}/event-types`);
  expect(list.body.data).toMatchObject([
    { type: 'payment.captured', validation: 'warn', versions: [{ version: '1.0' }] },
  ]);
  expect((await api('GET', place(tenant, 'payment.captured', '1.0'))).body).toEqual(created.body);
  const audit = await api('GET', `/v1/tenants/${tenant}/audit`);
  expect(audit.body.data.map(({ action, object }: { action: string; object: string }) => [action, object])).toEqual([
    ['event_type_version.created', 'payment.captured@1.0'],
    ['event_type.created', 'payment.captured'],
    ['tenant.created', tenant],
  ]);
});

test('a version never changes: another schema for it is refused, its description, example and state may change', async () => {
  const tenant = await newTenant();
  const at = place(tenant, 'a.b', '1.0');
  await api('PUT', at, { schema: payment });
  expect(await api('PUT', at, { schema: { ...payment, required: [] } })).toMatchObject({
    status: 409,
    body: { code: 'version_exists' },
  });
  expect(await api('PATCH', at, { state: 'deprecated', example: { id: 'x', amount: 0 } })).toMatchObject({
    status: 200,
    body: { state: 'deprecated', example: { id: 'x', amount: 0 } },
  });
  expect(await api('PATCH', at, { example: { id: 'x', amount: -1 } })).toMatchObject({
    status: 422,
    body: { errors: [{ path: 'example.amount' }] },
  });
  const [entry] = (await api('GET', `/v1/tenants/${tenant}/audit`)).body.data;
  expect(entry).toMatchObject({
    action: 'event_type_version.updated',
    before: { state: 'active' },
    after: { state: 'deprecated' },
  });
});

test('an event is checked by the schema of its version: off takes all, warn takes and tells, enforce refuses with paths', async () => {
  const tenant = await newTenant();
  const told = vi.spyOn(service.context.observe, 'eventMisfit');
  await api('PUT', place(tenant, 'pay', '1.0'), { schema: payment });
  const bad = { type: 'pay', data: { amount: -1 } };
  expect((await post(tenant, bad)).status).toBe(202);
  expect(told).toHaveBeenCalledTimes(1);
  expect(told.mock.calls[0]![0]).toMatchObject({ tenantId: tenant, type: 'pay', version: '1.0' });
  await api('PATCH', `/v1/tenants/${tenant}/event-types/pay`, { validation: 'off' });
  expect((await post(tenant, bad)).status).toBe(202);
  expect(told).toHaveBeenCalledTimes(1);
  await api('PATCH', `/v1/tenants/${tenant}/event-types/pay`, { validation: 'enforce' });
  const refused = await post(tenant, bad);
  expect(refused).toMatchObject({ status: 422, body: { code: 'invalid_event' } });
  expect(refused.body.errors.map(({ path }: { path: string }) => path).sort()).toEqual(['data.amount', 'data.id']);
  expect((await post(tenant, { type: 'pay', data: { id: 'x', amount: 1 } })).status).toBe(202);
  expect((await post(tenant, { type: 'other', data: 1 })).status).toBe(202);
  expect(told).toHaveBeenCalledTimes(1);
});

test('a test event is checked by the schema of its type like any other', async () => {
  const tenant = await newTenant();
  const told = vi.spyOn(service.context.observe, 'eventMisfit');
  const { id } = (await api('POST', `/v1/tenants/${tenant}/endpoints`, { url: receiver.url })).body;
  const tryOut = (body: object) => api('POST', `/v1/tenants/${tenant}/endpoints/${id}/test`, body);
  await api('PUT', place(tenant, 'pay', '1.0'), { schema: payment });
  const before = told.mock.calls.length;
  expect((await tryOut({ type: 'pay', data: { amount: -1 } })).status).toBe(202);
  expect(told.mock.calls.slice(before)).toMatchObject([[{ tenantId: tenant, type: 'pay', version: '1.0' }]]);
  // Another process: this one knows nothing of it yet.
  await call(other.baseUrl, 'PATCH', `/v1/tenants/${tenant}/event-types/pay`, { validation: 'enforce' });
  const refused = await tryOut({ type: 'pay', data: { amount: -1 } });
  expect(refused).toMatchObject({ status: 422, body: { code: 'invalid_event' } });
  expect(refused.body.errors.map(({ path }: { path: string }) => path).sort()).toEqual(['data.amount', 'data.id']);
  expect((await tryOut({ type: 'pay', data: { id: 'x', amount: 1 } })).status).toBe(202);
  expect((await tryOut({})).status).toBe(202);
  expect((await api('GET', `/v1/tenants/${tenant}/events`)).body.data).toHaveLength(3);
});

test('a batch with one event that its schema refuses stores nothing and names the event', async () => {
  const tenant = await newTenant();
  await api('PUT', place(tenant, 'pay', '1.0'), { schema: payment, validation: 'enforce' });
  const batch = [{ id: 'x', amount: 1 }, { id: 1 }].map((data) => ({ type: 'pay', tenant_id: tenant, data }));
  const answer = await api('POST', '/v1/events', batch);
  expect(answer).toMatchObject({ status: 422, body: { code: 'invalid_batch' } });
  expect(answer.body.errors.map(({ path }: { path: string }) => path).sort()).toEqual(['1.data.amount', '1.data.id']);
  expect((await api('GET', `/v1/tenants/${tenant}/events`)).body.data).toEqual([]);
});

test('a batch with other faults names also what a type refuses that another process has registered since', async () => {
  const misfit = (tenant: string) => ({ type: 'pay', tenant_id: tenant, data: { id: 'x', amount: -1 } });
  const faults = (tenant: string) => [
    [{ type: 'a..b', tenant_id: tenant, data: 1 }],
    [1, 2].map((data) => ({ type: 'a', id: 'twice', tenant_id: tenant, data })),
  ];
  for (const [nth, at] of ['1.type', '2'].entries()) {
    const tenant = await newTenant();
    // Now this process knows that the tenant has no types.
    expect((await post(tenant, { type: 'a', data: 1 })).status).toBe(202);
    await call(other.baseUrl, 'PUT', place(tenant, 'pay', '1.0'), { schema: payment, validation: 'enforce' });
    const answer = await api('POST', '/v1/events', [misfit(tenant), ...faults(tenant)[nth]!]);
    expect(answer).toMatchObject({ status: 422, body: { code: 'invalid_batch' } });
    expect(answer.body.errors.map(({ path }: { path: string }) => path)).toEqual(['0.data.amount', at]);
  }
});

test('an event that is stored already is a duplicate, though its schema is enforced by now', async () => {
  const tenant = await newTenant();
  const stored = { type: 'pay', id: 'evt-1', tenant_id: tenant, data: {} };
  expect((await api('POST', '/v1/events', stored)).body).toEqual({ id: 'evt-1', status: 'accepted', deliveries: 0 });
  await api('PUT', place(tenant, 'pay', '1.0'), { schema: payment, validation: 'enforce' });
  for (const { baseUrl } of [service, other]) {
    const again = await call(baseUrl, 'POST', '/v1/events', stored);
    expect(again).toMatchObject({ status: 202, body: { id: 'evt-1', status: 'duplicate' } });
  }
  const good = { type: 'pay', id: 'evt-2', tenant_id: tenant, data: { id: 'x', amount: 1 } };
  expect((await api('POST', '/v1/events', [stored, good])).body).toMatchObject({ accepted: 1, duplicates: 1 });
  for (const bad of [
    { ...stored, id: 'evt-3' },
    { ...stored, data: { amount: -1 } },
  ]) {
    const refused = await api('POST', '/v1/events', [stored, bad]);
    expect(refused.status).toBe(422);
    expect(refused.body.errors).toContainEqual({ path: '1.data.id', message: 'required', code: 'invalid_event' });
  }
});

test('an event that its type refuses is refused once its key has expired', async () => {
  const tenant = await newTenant();
  const stored = { type: 'pay', id: 'evt-of-old', tenant_id: tenant, data: {} };
  await api('POST', '/v1/events', stored);
  await api('PUT', place(tenant, 'pay', '1.0'), { schema: payment, validation: 'enforce' });
  expect((await api('POST', '/v1/events', stored)).status).toBe(202);
  await service.context.apiPool.query(
    `UPDATE idempotency_keys SET event_id = $1 WHERE event_id = (SELECT id FROM events WHERE external_id = 'evt-of-old')`,
    [uuidFloor(Date.now() - 40 * 86_400_000)],
  );
  expect((await api('POST', '/v1/events', stored)).status).toBe(422);
});

test('of an event whose type refuses it nobody says that it is stored once its tenant is deleted', async () => {
  const tenant = await newTenant();
  const stored = { type: 'pay', id: 'evt-1', tenant_id: tenant, data: {} };
  await api('POST', '/v1/events', stored);
  await api('PUT', place(tenant, 'pay', '1.0'), { schema: payment, validation: 'enforce' });
  expect((await api('POST', '/v1/events', stored)).body).toMatchObject({ status: 'duplicate' });
  await api('DELETE', `/v1/tenants/${tenant}`);
  expect((await api('POST', '/v1/events', stored)).status).toBe(422);
  expect((await api('POST', '/v1/events', [stored, stored])).status).toBe(422);
});

test('while Postgres does not say whether it is stored, a refused event is 503 in time', async () => {
  const hurried = await startTestService({ databaseUrl: service.databaseUrl, config: { INGEST_DEADLINE_MS: 300 } });
  const tenant = await newTenant();
  await api('PUT', place(tenant, 'pay', '1.0'), { schema: payment, validation: 'enforce' });
  const refused = { type: 'pay', id: 'evt-1', tenant_id: tenant, data: {} };
  const post = () => call(hurried.baseUrl, 'POST', '/v1/events', refused);
  const judged = () => eventually(post, ({ status }) => status === 422);
  await judged();
  await inTransaction(service.context.workerPool, async (client) => {
    await client.query('LOCK TABLE idempotency_keys');
    const answer = await post();
    expect(answer).toMatchObject({ status: 503, body: { code: 'unavailable' } });
    expect(answer.headers.get('retry-after')).toBe('1');
  });
  await judged();
  await hurried.stop();
});

test('what calls with schemas have cost refuses the next such call, and no event of the tenant', async () => {
  const tenant = await newTenant();
  await api('PUT', place(tenant, 'pay', '1.0'), { schema: payment, validation: 'enforce' });
  const { num } = (await service.context.accept.recallTenant(tenant))!;
  service.context.schemaTurns.rate.paid(num, 2_000_000_000);
  const next = await api('PUT', place(tenant, 'pay', '1.1'), { schema: { ...payment, minProperties: 1 } });
  expect(next).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
  expect((await post(tenant, { type: 'pay', data: { id: 'p', amount: 1 } })).status).toBe(202);
  expect((await post(tenant, { type: 'pay', data: { id: 'p' } })).status).toBe(422);
});

test('what the types of a preset have cost is not held against those that follow', async () => {
  const tenant = await newTenant();
  const asked = vi.spyOn(service.context.schemaTurns.rate, 'refuseSpent');
  expect((await api('POST', `/v1/tenants/${tenant}/event-types/presets/subscription-commerce`, {})).status).toBe(200);
  const own = asked.mock.calls.map((each) => each[1]);
  asked.mockRestore();
  expect(own.filter((spent) => spent === 0)).toHaveLength(1);
});

test('a version that is not registered or archived is refused where the type is enforced, with those that are taken', async () => {
  const tenant = await newTenant();
  for (const version of ['1.0', '1.1']) {
    await api('PUT', place(tenant, 'pay', version), { schema: payment, validation: 'enforce' });
  }
  await api('PATCH', place(tenant, 'pay', '1.0'), { state: 'archived' });
  const data = { id: 'x', amount: 1 };
  expect((await post(tenant, { type: 'pay', version: '1.1', data })).status).toBe(202);
  expect((await post(tenant, { type: 'pay', data })).body.errors).toEqual([
    { path: 'version', message: '1.0 of pay is archived; taken: 1.1' },
  ]);
  expect((await post(tenant, { type: 'pay', version: '3.0', data })).body.errors).toEqual([
    { path: 'version', message: 'no such version of pay; taken: 1.1' },
  ]);
});

test('an event accepted after a change was answered is checked by it, in every process', async () => {
  const tenant = await newTenant();
  const good = { type: 'pay', data: { id: 'x', amount: 1 } };
  const bad = { type: 'pay', data: {} };
  for (const { baseUrl } of [service, other]) expect((await post(tenant, bad, baseUrl)).status).toBe(202);
  for (let round = 0; round < 5; round++) {
    const validation = round % 2 === 0 ? 'enforce' : 'off';
    const change =
      round === 0
        ? await api('PUT', place(tenant, 'pay', '1.0'), { schema: payment, validation })
        : await api('PATCH', `/v1/tenants/${tenant}/event-types/pay`, { validation });
    expect(change.status).toBeLessThan(300);
    const answers = await Promise.all([other, service, other].map(({ baseUrl }) => post(tenant, bad, baseUrl)));
    const expected = validation === 'enforce' ? 422 : 202;
    expect(answers.map(({ status }) => status)).toEqual([expected, expected, expected]);
    expect((await post(tenant, good, other.baseUrl)).status).toBe(202);
  }
});

test('a tenant sees and changes no event types but its own, and needs the scopes of endpoints', async () => {
  const [mine, theirs] = [await newTenant(), await newTenant()];
  await api('PUT', place(theirs, 'pay', '1.0'), { schema: payment, validation: 'enforce' });
  const key = async (tenant: string, scopes: string[]) => {
    const { body } = await api('POST', `/v1/tenants/${tenant}/keys`, { name: 'k', scopes });
    return { authorization: `Bearer ${body.key}` };
  };
  const writer = await key(mine, ['endpoints:read', 'endpoints:write', 'events:write']);
  const reader = await key(mine, ['endpoints:read']);
  const calls: [string, string, unknown?][] = [
    ['GET', `/v1/tenants/${theirs}/event-types`],
    ['GET', `/v1/tenants/${theirs}/event-types/pay`],
    ['GET', place(theirs, 'pay', '1.0')],
    ['GET', `/v1/tenants/${theirs}/event-types/pay/diff?from=1.0&to=1.0`],
    ['PUT', place(theirs, 'pay', '1.1'), { schema: payment }],
    ['PATCH', `/v1/tenants/${theirs}/event-types/pay`, { validation: 'off' }],
    ['PATCH', place(theirs, 'pay', '1.0'), { state: 'archived' }],
    ['POST', `/v1/tenants/${theirs}/event-types/presets/subscription-commerce`, {}],
  ];
  for (const [method, path, body] of calls) {
    expect([method, path, (await api(method, path, body, writer)).status]).toEqual([method, path, 404]);
    const own = path.replace(theirs, mine);
    if (method !== 'GET') expect([own, (await api(method, own, body, reader)).status]).toEqual([own, 403]);
  }
  expect((await api('GET', `/v1/tenants/${mine}/event-types`, undefined, writer)).body.data).toEqual([]);
  expect((await api('POST', '/v1/events', { type: 'pay', data: {} }, writer)).status).toBe(202);
});

test.each([
  ['a remote $ref', { $ref: 'https://example.com/schema.json' }, 'schema.$ref'],
  ['a $ref to a file', { properties: { a: { $ref: 'file:///etc/passwd' } } }, 'schema.properties.a.$ref'],
  ['a $ref to the whole', { properties: { a: { $ref: '#' } } }, 'schema.properties.a.$ref'],
  ['a recursive $ref', { $ref: '#/$defs/a', $defs: { a: { items: { $ref: '#/$defs/a' } } } }, 'schema.$ref.items.$ref'],
  ['a pattern with look-ahead', { pattern: '(?=a)b' }, 'schema.pattern'],
  ['a pattern of too many steps', { pattern: '(a{1,100}){1,100}' }, 'schema.pattern'],
  ['a pattern that is none', { patternProperties: { '(': true } }, 'schema.patternProperties'],
  ['an unknown keyword', { propertys: {} }, 'schema.propertys'],
  ['no schema', 'string', 'schema'],
  ['a bomb of references', bomb(), 'schema'],
  ['a number that no double holds', '{"minimum": 9007199254740993}', 'schema.minimum'],
])('a schema with %s is refused at its place', async (_, schema, path) => {
  const tenant = await newTenant();
  const text = typeof schema === 'string' && schema.startsWith('{') ? schema : JSON.stringify(schema);
  const answer = await api('PUT', place(tenant, 'pay', '1.0'), `{"schema":${text}}`);
  expect(answer).toMatchObject({ status: 422, body: { code: 'invalid' } });
  expect(answer.body.errors[0].path.startsWith(path)).toBe(true);
});

/** Each definition names the next one ten times. */
function bomb(): object {
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  const $defs = Object.fromEntries(
    names.map((name, i) => {
      const next = names[i + 1];
      return [name, next === undefined ? {} : { allOf: Array(10).fill({ $ref: `#/$defs/${next}` }) }];
    }),
  );
  return { $ref: '#/$defs/a', $defs };
}

test('a schema that is too large or too deep is refused, and the process lives', async () => {
  const tenant = await newTenant();
  const at = place(tenant, 'pay', '1.0');
  expect((await api('PUT', at, { schema: { description: 'x'.repeat(1024 * 1024) } })).status).toBe(413);
  expect(await api('PUT', at, { schema: { description: 'x'.repeat(70_000) } })).toMatchObject({
    status: 422,
    body: { errors: [{ path: 'schema' }] },
  });
  expect(await api('PUT', at, { schema: {}, example: 'x'.repeat(20_000) })).toMatchObject({
    status: 422,
    body: { errors: [{ path: 'example' }] },
  });
  const casts = { from: '1.x', defaults: { a: 'x'.repeat(20_000) } };
  expect(await api('PUT', at, { schema: {}, casts })).toMatchObject({
    status: 422,
    body: { errors: [{ path: 'casts' }] },
  });
  let deep: object = {};
  for (let i = 0; i < 40; i++) deep = { not: deep };
  expect((await api('PUT', at, { schema: deep })).status).toBe(422);
  expect((await api('GET', '/healthz')).status).toBe(200);
});

test('a catastrophic pattern costs no more than its text', async () => {
  const tenant = await newTenant();
  const schema = { type: 'string', pattern: '^(a+)+$' };
  await api('PUT', place(tenant, 'evil', '1.0'), { schema, validation: 'enforce' });
  expect((await post(tenant, { type: 'evil', data: 'a'.repeat(50_000) })).status).toBe(202);
  expect((await post(tenant, { type: 'evil', data: `${'a'.repeat(50_000)}!` })).status).toBe(422);
});

test.each([
  ['a..b', '1.0', 'type'],
  ['system.x', '1.0', 'type'],
  ['a.b', '1', 'version'],
  ['a.b', 'latest', 'version'],
])('the type %s in version %s is refused: no producer could send it', async (type, version, path) => {
  const tenant = await newTenant();
  expect(await api('PUT', place(tenant, type, version), { schema: {} })).toMatchObject({
    status: 422,
    body: { errors: [{ path }] },
  });
});

const catalogue = {
  subscription: ['created', 'updated', 'cancelled', 'renewed', 'paused', 'resumed'],
  payment: ['authorized', 'captured', 'failed', 'refunded', 'disputed'],
  customer: ['created', 'updated', 'deleted'],
  campaign: ['activated', 'applied', 'expired'],
};

test('the preset brings every type of the catalogue once, keeps what is there, and takes the event of the documentation', async () => {
  const tenant = await newTenant();
  await api('PUT', place(tenant, 'payment.captured', '3.0'), { schema: payment, validation: 'off' });
  const adopt = () =>
    api('POST', `/v1/tenants/${tenant}/event-types/presets/subscription-commerce`, { validation: 'enforce' });
  const first = await adopt();
  expect(first.status).toBe(200);
  const expected = Object.entries(catalogue).flatMap(([subject, events]) =>
    events.map((event) => `${subject}.${event}`),
  );
  expect(first.body.types.map(({ type }: { type: string }) => type)).toEqual(expected);
  const kept = (answer: typeof first) =>
    answer.body.types.flatMap(({ type, status }: Record<string, string>) => (status === 'kept' ? [type] : []));
  expect(kept(first)).toEqual(['payment.captured']);
  expect(kept(await adopt())).toEqual(expected);
  const list = await api('GET', `/v1/tenants/${tenant}/event-types?limit=250`);
  expect(list.body.data).toHaveLength(expected.length);
  for (const type of expected.filter((each) => each !== 'payment.captured')) {
    const { example } = (await api('GET', place(tenant, type, '1.0'))).body;
    expect([type, (await post(tenant, { type, data: example })).status]).toEqual([type, 202]);
    expect([type, (await post(tenant, { type, data: {} })).status]).toEqual([type, 422]);
  }
  expect((await api('POST', `/v1/tenants/${tenant}/event-types/presets/none`, {})).status).toBe(404);
});

const cast = (from: string, more: object = {}) => ({ from, ...more });

test.each([
  ['a version that is not there', '2.0', cast('1.7'), 'casts.from'],
  ['a minor whose major has none', '1.1', cast('1.0'), 'casts'],
  ['a path that is none', '2.0', cast('1.0', { renames: { 'a..b': 'c' } }), 'casts.renames.a..b'],
  ['two paths that clash', '2.0', cast('1.0', { renames: { a: 'b' }, removes: ['a.c'] }), 'casts.removes.a.c'],
  ['what the example of the older version does not fit', '2.0', cast('1.0', { renames: { id: 'key' } }), 'casts'],
  ['what older receivers do not know', '2.0', cast('1.0', { defaults: { amount: 1 } }), 'casts'],
])('casts from %s are refused', async (_, version, casts, path) => {
  const tenant = await newTenant();
  const example = { id: 'x', amount: 1 };
  await api('PUT', place(tenant, 'pay', '1.0'), { schema: payment, example });
  const answer = await api('PUT', place(tenant, 'pay', version), { schema: payment, example, casts });
  expect(answer).toMatchObject({ status: 422, body: { errors: [{ path }] } });
});

test('a cast that would make an example longer than an event may become is refused', async () => {
  const tenant = await newTenant();
  const example = { items: Array.from({ length: 100 }, () => ({})) };
  await api('PUT', place(tenant, 'order', '1.0'), { schema: {}, example });
  const casts = cast('1.0', { defaults: { 'items.[].pad': 'x'.repeat(10_000) } });
  const answer = await api('PUT', place(tenant, 'order', '2.0'), { schema: {}, casts });
  expect(answer).toMatchObject({ status: 422, body: { errors: [{ path: 'casts' }] } });
});

test('casts are declared with the first version of a major, shown, inherited, and never changed', async () => {
  const tenant = await newTenant();
  const put = (version: string, more: object = {}) =>
    api('PUT', place(tenant, 'pay', version), { schema: payment, ...more });
  const casts = { from: '1.x', renames: { a: 'b' }, defaults: { c: [1.5] }, removes: ['d'], restores: { e: null } };
  for (const version of ['1.0', '1.1']) await put(version);
  expect(await put('2.0', { casts })).toMatchObject({
    status: 201,
    body: { casts: { ...casts, from: '1.1', inherited: false } },
  });
  expect((await put('1.2')).status).toBe(201);
  expect((await put('2.0', { casts })).status).toBe(200);
  expect(await put('2.0')).toMatchObject({ status: 409, body: { code: 'version_exists' } });
  expect(await put('2.0', { casts: { ...casts, removes: [] } })).toMatchObject({ status: 409 });
  const inherited = { ...casts, from: '1.1', inherited: true };
  expect(await put('2.1')).toMatchObject({ status: 201, body: { casts: inherited } });
  expect((await put('2.1')).status).toBe(200);
  expect(await put('2.0.1', { casts })).toMatchObject({ status: 422, body: { errors: [{ path: 'casts' }] } });
  expect((await put('3.0')).status).toBe(201);
  expect(await put('3.1', { casts: { from: '2.x' } })).toMatchObject({
    status: 422,
    body: { errors: [{ path: 'casts' }] },
  });
  expect(await put('4.0', { casts: { from: '2.0' } })).toMatchObject({
    status: 422,
    body: { errors: [{ path: 'casts.from' }] },
  });
});

test('a version between two others goes together with both', async () => {
  const tenant = await newTenant();
  const put = (version: string, minimum: number) =>
    api('PUT', place(tenant, 'pay', version), { schema: { type: 'number', minimum } });
  for (const [version, minimum] of [
    ['1.0', 5],
    ['1.2', 3],
  ] as const)
    await put(version, minimum);
  for (const [version, minimum] of [
    ['1.1', 6],
    ['1.1', 2],
  ] as const) {
    expect(await put(version, minimum)).toMatchObject({ status: 409, body: { errors: [{ path: 'schema.minimum' }] } });
  }
  expect((await put('1.1', 4)).status).toBe(201);
  expect((await put('1.0.1', 5)).status).toBe(201);
});

test('a version goes together with all before it in its major, also where the one between says nothing', async () => {
  const tenant = await newTenant();
  const put = (version: string, properties: object) =>
    api('PUT', place(tenant, 'pay', version), { schema: { type: 'object', properties } });
  expect((await put('1.0', { note: { type: 'string' } })).status).toBe(201);
  expect((await put('1.1', {})).status).toBe(201);
  expect(await put('1.2', { note: { type: 'number' } })).toMatchObject({
    status: 409,
    body: { code: 'incompatible_schema', errors: [{ path: 'schema.properties.note.type' }] },
  });
  expect((await put('2.0', { note: { type: 'number' } })).status).toBe(201);
});

test('two registrations of one version at once end as one version, and both are told so', async () => {
  const tenant = await newTenant();
  const answers = await Promise.all(
    [service, other, service, other].map(({ baseUrl }) =>
      call(baseUrl, 'PUT', place(tenant, 'pay', '1.0'), { schema: payment }),
    ),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 201]);
});

test('an endpoint shows its pins in their order, and refuses those that could match nothing', async () => {
  const tenant = await newTenant();
  const endpoints = `/v1/tenants/${tenant}/endpoints`;
  const versions = { 'payment.captured': '2', 'payment.*': '1', '**': '3' };
  const created = await api('POST', endpoints, { url: receiver.url, versions });
  expect(JSON.stringify(created.body.versions)).toBe(JSON.stringify(versions));
  const one = `${endpoints}/${created.body.id}`;
  expect(JSON.stringify((await api('GET', one)).body.versions)).toBe(JSON.stringify(versions));
  expect((await api('PATCH', one, { versions: {} })).body.versions).toEqual({});
  for (const bad of [{ 'a..b': '1' }, { a: '1.0' }, { a: 1 }, { a: '' }]) {
    expect((await api('PATCH', one, { versions: bad })).status).toBe(422);
  }
});

test('a diff tells the first hundred problems', async () => {
  const tenant = await newTenant();
  const names = Array.from({ length: 150 }, (_, i) => `n${i}`);
  await api('PUT', place(tenant, 'wide', '1.0'), { schema: { type: 'object' } });
  await api('PUT', place(tenant, 'wide', '2.0'), { schema: { type: 'object', required: names } });
  const { body } = await api('GET', `/v1/tenants/${tenant}/event-types/wide/diff?from=1.0&to=2.0`);
  expect(body.compatible).toBe(false);
  expect(body.problems.map(({ path }: { path: string }) => path)).toEqual(
    names.slice(0, 100).map((name) => `data.${name}`),
  );
});
