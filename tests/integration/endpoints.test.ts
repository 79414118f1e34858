import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { readSecret } from '../../src/signing/secret.ts';
import { disableEndpoint } from '../../src/store/disable-endpoint.ts';
import { loadTargets } from '../../src/store/targets.ts';
import { call } from '../support/api.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
  await api('POST', '/v1/tenants', { id: 'acme' });
});

afterAll(() => service.stop());

const api = (method: string, path: string, body?: unknown, key?: string) =>
  call(service.baseUrl, method, path, body, key === undefined ? {} : { authorization: `Bearer ${key}` });
const endpoints = '/v1/tenants/acme/endpoints';
const url = 'https://receiver.example/hook';

async function create(body: object = {}): Promise<{ id: string; path: string; secret: string }> {
  const answer = await api('POST', endpoints, { url, ...body });
  expect(answer).toMatchObject({ status: 201 });
  return { ...answer.body, path: `${endpoints}/${answer.body.id}` };
}

async function stored(id: string): Promise<{ num: number; version: string; routing_version: string; audit: string }> {
  const { rows } = await service.context.apiPool.query(
    `SELECT e.num, e.version, t.routing_version, (SELECT count(*) FROM audit_log WHERE object = e.id) AS audit
       FROM endpoints e JOIN tenants t ON t.num = e.tenant_num WHERE e.id = $1`,
    [id],
  );
  return rows[0];
}

/** How many endpoints of the tenant get an event of this type now. */
async function matches(tenant: string, type: string): Promise<number> {
  return (await api('POST', '/v1/events', { type, tenant_id: tenant, data: {} })).body.deliveries;
}

test('an endpoint of a URL alone has every default, and a secret of its scheme', async () => {
  const answer = await api('POST', endpoints, { url: 'HTTPS://Receiver.Example:443/a/../hook' });
  const { id, secret, created_at, updated_at, ...rest } = answer.body;
  expect(rest).toEqual({
    tenant_id: 'acme',
    url,
    destination: { type: 'http', url },
    description: '',
    subscriptions: [],
    enabled: true,
    disabled_reason: null,
    headers: {},
    signature: 'v1',
    retry_schedule: [0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400],
    timeout_seconds: 15,
    rate_limit: null,
    max_in_flight: 16,
    order: 'none',
    on_dead_letter: 'continue',
    versions: {},
    format: 'native',
    validation: 'none',
    validation_status: null,
    metadata: {},
  });
  expect(readSecret(secret)).toMatchObject({ ok: true, secret: { kind: 'symmetric' } });
  const shown = await api('GET', `${endpoints}/${id}`);
  expect(shown.body).toEqual({ id, created_at, updated_at, ...rest });
});

test('what an endpoint sets is what its deliveries use', async () => {
  const settings = { headers: { 'X-Key': 'k' }, retry_schedule: [10, 60], timeout_seconds: 3, max_in_flight: 2 };
  const { id, secret } = await create(settings);
  const { num } = await stored(id);
  const { apiPool, vault } = service.context;
  const targets = await loadTargets(apiPool, vault, { retryScheduleMs: [0], timeoutMs: 1, maxInFlight: 1 }, [num]);
  expect(targets.get(num)).toMatchObject({
    target: {
      destination: { type: 'http', url },
      headers: { 'X-Key': 'k' },
      secrets: [secret],
      retryScheduleMs: [0, 10_000, 60_000],
      timeoutMs: 3000,
      maxInFlight: 2,
    },
  });
});

test('PATCH replaces the fields that it names and leaves the others', async () => {
  const { path, id } = await create({
    description: 'old',
    headers: { a: '1', b: '2' },
    metadata: { a: { b: 1 } },
    timeout_seconds: 3,
  });
  const before = await stored(id);
  const changed = await api('PATCH', path, { headers: { b: '3' }, timeout_seconds: null, description: 'new' });
  expect(changed.body).toMatchObject({
    description: 'new',
    headers: { b: '3' },
    timeout_seconds: 15,
    metadata: { a: { b: 1 } },
    url,
  });
  expect(changed.body.headers).toEqual({ b: '3' });
  expect((await api('GET', path)).body).toEqual(changed.body);
  expect(Number((await stored(id)).version)).toBe(Number(before.version) + 1);
});

test('a PATCH that changes nothing writes nothing: no version, no audit, no time', async () => {
  const { path, id } = await create({
    headers: { a: '1' },
    subscriptions: [{ types: ['a'] }],
    metadata: { x: 1, y: 2 },
  });
  const before = await stored(id);
  const shown = (await api('GET', path)).body;
  for (const body of [
    {},
    undefined,
    { headers: { a: '1' }, subscriptions: [{ types: ['a'] }], metadata: { y: 2, x: 1 }, enabled: true },
  ]) {
    expect((await api('PATCH', path, body)).body).toEqual(shown);
  }
  expect(await stored(id)).toMatchObject({ version: before.version, audit: before.audit });
});

test('what reading shows can be written back', async () => {
  const { path } = await create({
    headers: { a: '1' },
    retry_schedule: [5],
    subscriptions: [{ types: ['a.*'], filter: null }],
  });
  const shown = (await api('GET', path)).body;
  const { id, tenant_id, disabled_reason, validation_status, created_at, updated_at, ...settings } = shown;
  const answer = await api('PATCH', path, settings);
  expect(answer.status).toBe(200);
  expect({ ...answer.body, updated_at }).toEqual({
    id,
    tenant_id,
    disabled_reason,
    validation_status,
    created_at,
    updated_at,
    ...settings,
  });
});

test('an empty subscription of an earlier version stays what it is, and so does all that is changed beside it', async () => {
  const { id, path } = await create({ subscriptions: [{ types: ['old.a'] }] });
  await service.context.apiPool.query(`UPDATE endpoints SET subscriptions = '[{}]' WHERE id = $1`, [id]);
  for (const change of [{ description: 'x' }, { subscriptions: [{}], description: 'y' }]) {
    expect(await api('PATCH', path, change)).toMatchObject({ status: 200, body: { ...change, subscriptions: [{}] } });
  }
  expect((await api('PATCH', path, { subscriptions: [{ types: ['old.b'] }] })).status).toBe(200);
  expect((await api('PATCH', path, { subscriptions: [{}] })).status).toBe(422);
});

test('header values are shown to those who may set them and masked for others, and the mask is never taken for a value', async () => {
  const { path } = await create({ headers: { Authorization: 'Bearer s3cret' } });
  const reader = (await api('POST', '/v1/tenants/acme/keys', { scopes: ['endpoints:read'] })).body.key;
  const writer = (await api('POST', '/v1/tenants/acme/keys', { scopes: ['endpoints:read', 'endpoints:write'] })).body
    .key;
  expect((await api('GET', path, undefined, reader)).body.headers).toEqual({ Authorization: '***' });
  expect(JSON.stringify((await api('GET', endpoints, undefined, reader)).body)).not.toContain('s3cret');
  expect((await api('GET', path, undefined, writer)).body.headers).toEqual({ Authorization: 'Bearer s3cret' });
  const written = await api('PATCH', path, { headers: { Authorization: '***' } }, writer);
  expect(written).toMatchObject({ status: 422, body: { errors: [{ path: 'headers.Authorization' }] } });
});

test('neither secrets nor header values lie in the database in the clear, the audit log included', async () => {
  const { path, secret } = await create({ headers: { Authorization: 'Bearer unsealed-value' } });
  await api('PATCH', path, { headers: { Authorization: 'Bearer unsealed-other' } });
  const tables = ['endpoints', 'endpoint_secrets', 'audit_log'];
  for (const table of tables) {
    const { rows } = await service.context.apiPool.query(`SELECT r::text AS text FROM ${table} r`);
    const text = rows.map((row) => row.text).join();
    for (const clear of [
      'unsealed',
      Buffer.from('unsealed').toString('hex'),
      secret.slice(6),
      Buffer.from(secret).toString('hex'),
    ]) {
      expect(text).not.toContain(clear);
    }
  }
});

test('another signature scheme makes a new secret of its kind, and the old one is void at once', async () => {
  const { path, secret } = await create();
  await api('PATCH', path, { signature: 'v1a' });
  const after = (await api('GET', `${path}/secret`)).body;
  expect(after).toMatchObject({
    secret: expect.stringMatching(/^whsk_/),
    public_key: expect.stringMatching(/^whpk_/),
    previous: [],
  });
  await api('PATCH', path, { signature: 'v1' });
  const back = (await api('GET', `${path}/secret`)).body;
  expect(back.secret).toMatch(/^whsec_/);
  expect(back.secret).not.toBe(secret);
});

test('an event accepted after a change was answered goes by the new subscriptions', async () => {
  await api('POST', '/v1/tenants', { id: 'routed' });
  const { body } = await api('POST', '/v1/tenants/routed/endpoints', {
    url,
    subscriptions: [{ types: ['a'] }, { types: ['a.*'] }],
  });
  const path = `/v1/tenants/routed/endpoints/${body.id}`;
  expect([await matches('routed', 'a'), await matches('routed', 'b')]).toEqual([1, 0]);
  await api('PATCH', path, { subscriptions: [{ types: ['b'] }] });
  expect([await matches('routed', 'a'), await matches('routed', 'b')]).toEqual([0, 1]);
  await api('PATCH', path, { enabled: false });
  expect(await matches('routed', 'b')).toBe(0);
  await api('PATCH', path, { enabled: true, subscriptions: [] });
  expect(await matches('routed', 'c')).toBe(1);
  await api('DELETE', path);
  expect(await matches('routed', 'c')).toBe(0);
});

test('a disabled endpoint says who disabled it; enabling clears that and wakes its lane', async () => {
  const { path, id } = await create();
  const { num } = await stored(id);
  const ring = vi.spyOn(service.context, 'ringEndpoints');
  expect((await api('PATCH', path, { enabled: false })).body).toMatchObject({
    enabled: false,
    disabled_reason: 'disabled by operator',
  });
  expect(ring).not.toHaveBeenCalled();
  expect((await api('PATCH', path, { enabled: true })).body).toMatchObject({ enabled: true, disabled_reason: null });
  expect(ring).toHaveBeenCalledWith([num]);
  ring.mockRestore();
});

test('what was held against a URL does not count for another', async () => {
  const { id, path } = await create();
  const { num } = await stored(id);
  await service.context.apiPool.query(
    `INSERT INTO endpoint_states (endpoint_num, gate, closed_until) VALUES ($1, $2, now() + interval '1 hour')`,
    [
      num,
      {
        breaker: {
          state: { phase: 'open', untilMs: Date.now() + 500_000 },
          openings: 4,
          failuresInARow: 0,
          recent: [],
        },
        bucket: null,
        failingSinceMs: 1,
      },
    ],
  );
  const breaker = async () => (await api('GET', `${path}/stats`)).body.breaker;
  await api('PATCH', path, { description: 'the same' });
  expect(await breaker()).toMatchObject({ state: 'open', failing_since: expect.any(String) });
  await api('PATCH', path, { url: 'https://receiver.example/other' });
  expect(await breaker()).toMatchObject({ state: 'closed', open_until: null, failing_since: null });
  const { rows } = await service.context.apiPool.query(
    'SELECT resets, closed_until FROM endpoint_states WHERE endpoint_num = $1',
    [num],
  );
  expect(rows).toEqual([{ resets: 1, closed_until: null }]);
});

test.each([
  ['a reset by hand', (path: string) => api('POST', `${path}/breaker/reset`)],
  [
    'a PATCH that enables',
    async (path: string) => {
      await api('PATCH', path, { enabled: false });
      await api('PATCH', path, { enabled: true });
    },
  ],
])('%s ends the pause that was asked for, and leaves the tokens of the rate limit as they are', async (_, forgive) => {
  const { id, path } = await create();
  const { num } = await stored(id);
  const bucket = { tokens: 0.5, atMs: Date.now(), throttledUntilMs: Date.now() + 500_000 };
  await service.context.apiPool.query(
    `INSERT INTO endpoint_states (endpoint_num, gate, closed_until) VALUES ($1, $2, now() + interval '1 hour')`,
    [num, { breaker: null, bucket, failingSinceMs: 1 }],
  );
  await forgive(path);
  const { rows } = await service.context.apiPool.query(
    'SELECT gate, closed_until FROM endpoint_states WHERE endpoint_num = $1',
    [num],
  );
  expect(rows).toEqual([
    {
      closed_until: null,
      gate: expect.objectContaining({ bucket: { ...bucket, throttledUntilMs: null }, failingSinceMs: null }),
    },
  ]);
});

test('when an endpoint or a tenant was deleted is Postgres’s time, whatever this process thinks it is', async () => {
  const { id, path } = await create();
  await api('POST', '/v1/tenants', { id: 'short-lived' });
  await api('POST', '/v1/tenants/short-lived/endpoints', { url });
  await api('POST', '/v1/tenants/short-lived/keys', { scopes: ['events:write'] });
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 3 * 86_400_000 });
  try {
    expect((await api('DELETE', path)).status).toBe(204);
    expect((await api('DELETE', '/v1/tenants/short-lived')).status).toBe(204);
  } finally {
    vi.useRealTimers();
  }
  const { rows } = await service.context.apiPool.query(
    `SELECT deleted_at > now() - interval '1 hour' AS is_now FROM endpoints
      WHERE id = $1 OR tenant_num = (SELECT num FROM tenants WHERE id = 'short-lived')
      UNION ALL SELECT deleted_at > now() - interval '1 hour' FROM tenants WHERE id = 'short-lived'
      UNION ALL SELECT revoked_at > now() - interval '1 hour' FROM api_keys k JOIN tenants t ON t.num = k.tenant_num WHERE t.id = 'short-lived'`,
    [id],
  );
  expect(rows).toEqual(Array(4).fill({ is_now: true }));
});

test('a deleted endpoint is gone from every call, and its lane is woken to cancel what waits', async () => {
  const { path, id } = await create();
  const { num } = await stored(id);
  const ring = vi.spyOn(service.context, 'ringEndpoints');
  expect((await api('DELETE', path)).status).toBe(204);
  expect(ring).toHaveBeenCalledWith([num]);
  ring.mockRestore();
  const calls: [string, string, unknown?][] = [
    ['GET', path],
    ['PATCH', path, { enabled: false }],
    ['DELETE', path],
    ['GET', `${path}/secret`],
    ['POST', `${path}/secret/rotate`, {}],
  ];
  for (const [method, at, body] of calls) expect((await api(method, at, body)).status).toBe(404);
  expect((await api('GET', endpoints)).body.data.map((each: { id: string }) => each.id)).not.toContain(id);
});

test('an endpoint that disables itself matches nothing more, says why, and is audited once', async () => {
  await api('POST', '/v1/tenants', { id: 'failing' });
  const { body } = await api('POST', '/v1/tenants/failing/endpoints', { url });
  const { num, version } = await stored(body.id);
  expect(await matches('failing', 'a')).toBe(1);
  await disableEndpoint(service.context.prisma, num, 'the receiver answered 410', 0);
  await disableEndpoint(service.context.prisma, num, 'again', 0);
  expect(await matches('failing', 'a')).toBe(0);
  const shown = await api('GET', `/v1/tenants/failing/endpoints/${body.id}`);
  expect(shown.body).toMatchObject({ enabled: false, disabled_reason: 'the receiver answered 410' });
  expect(Number((await stored(body.id)).version)).toBe(Number(version) + 1);
  const { data } = (await api('GET', '/v1/tenants/failing/audit')).body;
  expect(data.filter((entry: { action: string }) => entry.action === 'endpoint.disabled')).toMatchObject([
    { actor: 'system' },
  ]);
});

test.each([
  ['of the receiver that an endpoint had before', [{ url: 'http://127.0.0.1:2/' }]],
  ['that came before an endpoint was enabled anew', [{ enabled: false }, { enabled: true }]],
])('a wish %s disables it no more', async (_, changes) => {
  const { path, id } = await create();
  const { num } = await stored(id);
  for (const change of changes) expect((await api('PATCH', path, change)).status).toBe(200);
  const before = await stored(id);
  expect(await disableEndpoint(service.context.prisma, num, 'It answered 410.', 0)).toBe(false);
  expect((await api('GET', path)).body.enabled).toBe(true);
  expect(await stored(id)).toMatchObject({ version: before.version, audit: before.audit });
  expect(await disableEndpoint(service.context.prisma, num, 'It answered 410.', 1)).toBe(true);
  expect((await api('GET', path)).body.enabled).toBe(false);
});

test('disabling does nothing to an endpoint that was deleted', async () => {
  const { path, id } = await create();
  const { num } = await stored(id);
  await api('DELETE', path);
  const before = await stored(id);
  await disableEndpoint(service.context.prisma, num, 'late', 0);
  expect(await stored(id)).toMatchObject({ version: before.version, audit: before.audit });
});

test('two changes of one endpoint at once both take hold', async () => {
  const { path, id } = await create();
  const before = await stored(id);
  const patches = Array.from({ length: 6 }, (_, i) =>
    i % 2 === 0 ? { description: `d${i}` } : { metadata: { n: i } },
  );
  const answers = await Promise.all(patches.map((patch) => api('PATCH', path, patch)));
  expect(answers.map((answer) => answer.status)).toEqual(patches.map(() => 200));
  const { body } = await api('GET', path);
  expect([body.description, Object.keys(body.metadata)]).toEqual([expect.stringMatching(/^d/), ['n']]);
  expect(Number((await stored(id)).version)).toBe(Number(before.version) + patches.length);
});

test('a tenant has at most 10,000 endpoints', async () => {
  await api('POST', '/v1/tenants', { id: 'full' });
  await service.context.apiPool.query(
    `INSERT INTO endpoints (id, tenant_num, url, enabled) SELECT 'ep_full_' || i, t.num, 'https://x.example', false
       FROM tenants t, generate_series(1, 10000) i WHERE t.id = 'full'`,
  );
  expect(await api('POST', '/v1/tenants/full/endpoints', { url })).toMatchObject({
    status: 409,
    body: { code: 'too_many_endpoints' },
  });
});

test('a schedule must end before events are dropped', async () => {
  const days = (count: number) => count * 86_400;
  const fitting = [0, ...Array(3).fill(days(7))];
  expect((await api('POST', endpoints, { url, retry_schedule: fitting })).status).toBe(201);
  // With the longest delays that chance makes of it, it takes 33.6 days.
  const tooLong = await api('POST', endpoints, { url, retry_schedule: [...fitting, days(7)] });
  expect(tooLong).toMatchObject({ status: 422, body: { errors: [{ path: 'retry_schedule' }] } });
});

test('an endpoint whose schedule was accepted when more was keeps it, whatever else is changed', async () => {
  const { id, path } = await create();
  const schedule = [0, ...Array(4).fill(7 * 86_400)];
  await service.context.apiPool.query('UPDATE endpoints SET retry_schedule = $1 WHERE num = $2', [
    schedule,
    (await stored(id)).num,
  ]);
  for (const change of [{ description: 'one' }, { description: 'two', retry_schedule: schedule }])
    expect(await api('PATCH', path, change)).toMatchObject({
      status: 200,
      body: { ...change, retry_schedule: schedule },
    });
  const other = [...schedule.slice(0, -1), 7 * 86_400 - 1].sort((a, b) => a - b);
  expect(await api('PATCH', path, { retry_schedule: other })).toMatchObject({
    status: 422,
    body: { errors: [{ path: 'retry_schedule' }] },
  });
});
