import { afterAll, beforeAll, expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { logEvent, logWaiting, makeEndpoint } from '../support/log-fixture.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;
/** Another process of the same installation. */
let second: TestService;

beforeAll(async () => {
  service = await startTestService();
  second = await startTestService({ databaseUrl: service.databaseUrl });
});

afterAll(async () => {
  await second.stop();
  await service.stop();
});

async function limited(id: string, limits: unknown) {
  const made = await call(service.baseUrl, 'POST', '/v1/tenants', { id, limits });
  expect(made.status).toBe(201);
  const { key } = (await call(service.baseUrl, 'POST', `/v1/tenants/${id}/keys`, {})).body;
  return { id, key: key as string, num: (await service.context.findTenant(id))!.num };
}

const event = (id: string, more: object = {}) => ({ type: 'a.b', data: {}, tenant_id: id, ...more });
const send = (tenant: { key: string }, body: unknown, headers: Record<string, string> = {}, of = service) =>
  call(of.baseUrl, 'POST', '/v1/events', body, { authorization: `Bearer ${tenant.key}`, ...headers });
const eventsOf = async (num: number) => {
  const { rows } = await service.context.apiPool.query('SELECT count(*)::int AS n FROM events WHERE tenant_num = $1', [
    num,
  ]);
  return rows[0].n;
};

/** A list of RFC 9651 strings with integer and string parameters, by name. */
function parsed(field: string | null): Record<string, Record<string, number | string>> {
  const member = /^"([a-z]+)"((?:;[a-z]+=(?:\d{1,15}|"[a-z-]+"))+)$/;
  return Object.fromEntries(
    (field ?? '').split(', ').map((text) => {
      const [, name, parameters] = member.exec(text) ?? [];
      if (name === undefined) throw new Error(`Not a structured field: ${text}`);
      const pairs = [...parameters!.matchAll(/;([a-z]+)=(?:(\d+)|"([a-z-]+)")/g)];
      return [name, Object.fromEntries(pairs.map(([, key, n, s]) => [key, s ?? Number(n)]))];
    }),
  );
}

test('a tenant over its rate is told 429 with how long to wait and what it may send, on accepted requests too', async () => {
  const tenant = await limited('rate', {
    events_per_second: 0.1,
    burst_events: 3,
    bytes_per_second: 1000,
    burst_bytes: 5000,
  });
  const first = await send(tenant, event('rate'));
  expect(first.status).toBe(202);
  expect(parsed(first.headers.get('ratelimit-policy'))).toEqual({
    events: { q: 3, w: 30, qu: 'events' },
    bytes: { q: 5000, w: 5, qu: 'content-bytes' },
  });
  expect(parsed(first.headers.get('ratelimit'))).toMatchObject({ events: { r: 2, t: 10 } });
  expect((await send(tenant, [event('rate'), event('rate')])).status).toBe(202);
  const refused = await send(tenant, event('rate'));
  expect(refused).toMatchObject({ status: 429, body: { code: 'rate_limited', status: 429 } });
  expect(refused.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(refused.headers.get('retry-after')).toMatch(/^([1-9]|10)$/);
  expect(parsed(refused.headers.get('ratelimit'))).toMatchObject({ events: { r: 0 } });
  expect(await eventsOf(tenant.num)).toBe(3);
});

test('a request that is refused unread is told the wait for one event, a batch that was read that for all of it, and RateLimit what is enough for any', async () => {
  const tenant = await limited('unread', { events_per_second: 0.01, burst_events: 10 });
  const batch = (size: number) => Array(size).fill(event('unread'));
  const waits = async (body: unknown) => {
    const { status, headers } = await send(tenant, body);
    return {
      status,
      retryAfter: Number(headers.get('retry-after')),
      whole: parsed(headers.get('ratelimit')).events!.t,
    };
  };
  expect((await send(tenant, batch(8))).status).toBe(202);
  // Two are left: it is read, and 4 of 6 are wanting.
  const read = await waits(batch(6));
  expect(read.status).toBe(429);
  expect(read.retryAfter).toBeGreaterThan(300);
  expect(read.retryAfter).toBeLessThanOrEqual(400);
  expect((await send(tenant, batch(2))).status).toBe(202);
  const [unread, single] = [await waits(batch(10)), await waits(event('unread'))];
  for (const { status, retryAfter, whole } of [unread, single]) {
    expect([status, retryAfter <= 100]).toEqual([429, true]);
    expect(whole).toBeGreaterThan(900);
    expect(whole).toBeLessThanOrEqual(1_000);
  }
});

test('a tenant over its bytes is refused by its content-length, before the body is read', async () => {
  const tenant = await limited('bytes', { bytes_per_second: 10, burst_bytes: 400 });
  const body = event('bytes', { data: { text: 'x'.repeat(250) } });
  expect((await send(tenant, body)).status).toBe(202);
  // JSON that is not JSON would be 400, had it been read.
  const refused = await send(tenant, `{${' '.repeat(300)}`);
  expect(refused).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(10);
  expect(await send(tenant, `{${' '.repeat(500)}`)).toMatchObject({ status: 413, body: { code: 'over_burst' } });
});

test('a tenant with few bytes a second and no burst of its own can send an event of the largest size, and then waits', async () => {
  const tenant = await limited('thin', { bytes_per_second: 1 });
  const body = event('thin', { data: { text: 'x'.repeat(200_000) } });
  expect((await send(tenant, body)).status).toBe(202);
  expect(await send(tenant, body)).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
  const { effective_limits } = (await call(service.baseUrl, 'GET', '/v1/tenants/thin')).body;
  expect(effective_limits).toMatchObject({ bytes_per_second: 1, burst_bytes: 262_144 });
});

test.each([
  ['is no JSON', '{"type":', 400],
  ['holds no event', '[]', 422],
  ['has an event with more fields than any event has', `{${Array.from({ length: 101 }, (_, i) => `"f${i}":1`)}}`, 422],
  ['holds too many events', `[${'1,'.repeat(1_000)}1]`, 413],
])('a body that %s costs its tenant an event of its length', async (name, body, status) => {
  const id = `unread-${status}-${body.length}`;
  const tenant = await limited(id, {
    events_per_second: 0.01,
    burst_events: 3,
    burst_bytes: 9_000,
    bytes_per_second: 1,
  });
  const refused = await send(tenant, body);
  expect([name, refused.status]).toEqual([name, status]);
  expect(parsed(refused.headers.get('ratelimit'))).toMatchObject({
    events: { r: 2 },
    bytes: { r: near(9_000 - body.length) },
  });
  await send(tenant, body);
  await send(tenant, body);
  expect((await send(tenant, body)).status).toBe(429);
  expect((await send(tenant, event(id))).status).toBe(429);
});

test('a body of unknown length costs what its tenant has left, and so do a batch under one key and one of no events', async () => {
  const limits = { events_per_second: 0.01, burst_events: 100, burst_bytes: 1_000, bytes_per_second: 1 };
  const left = async (id: string, headers: Record<string, string>, body: string | ReadableStream) => {
    const { key } = await limited(id, limits);
    const answer = await fetch(`${service.baseUrl}/v1/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      body,
      duplex: 'half',
    } as RequestInit);
    return [answer.status, parsed(answer.headers.get('ratelimit')).bytes!.r];
  };
  const spaces = ' '.repeat(5_000);
  expect(await left('chunked', {}, new Blob([`[${spaces}`]).stream())).toEqual([400, 0]);
  expect(await left('keyed', { 'idempotency-key': 'k' }, JSON.stringify([event('keyed')]))).toEqual([422, near(953)]);
  const batch = { 'content-type': 'application/cloudevents-batch+json' };
  expect(await left('none', batch, `[${' '.repeat(498)}]`)).toEqual([202, near(500)]);
});

/** Some bytes come back meanwhile. */
function near(bytes: number): unknown {
  return expect.toSatisfy((left: number) => left >= bytes && left <= bytes + 20);
}

test('a refused batch changes nothing: no event, no key, and not one token', async () => {
  const tenant = await limited('batch', { events_per_second: 0.01, burst_events: 5 });
  const batch = (count: number) =>
    Array.from({ length: count }, (_, i) => event('batch', { metadata: { idempotency_key: `k-${i}` } }));
  expect((await send(tenant, batch(3))).status).toBe(202);
  expect(await send(tenant, batch(4))).toMatchObject({ status: 429 });
  expect(await send(tenant, batch(6))).toMatchObject({ status: 413, body: { code: 'over_burst' } });
  expect(await eventsOf(tenant.num)).toBe(3);
  // What was refused is neither stored nor known: with other content under its key, it is new.
  const answer = await send(tenant, [
    event('batch', { data: 1, metadata: { idempotency_key: 'k-3' } }),
    event('batch'),
  ]);
  expect(answer).toMatchObject({ status: 202, body: { accepted: 2 } });
});

test('events that an operator sends for a tenant count for that tenant, and a batch of several is all or nothing', async () => {
  const one = await limited('one', { events_per_second: 0.01, burst_events: 2 });
  const two = await limited('two', { events_per_second: 0.01, burst_events: 2 });
  const operator = (body: unknown) => call(service.baseUrl, 'POST', '/v1/events', body);
  const single = await operator(event('one'));
  expect(parsed(single.headers.get('ratelimit'))).toMatchObject({ events: { r: 1 } });
  expect((await operator([event('one'), event('two')])).status).toBe(202);
  const refused = await operator([event('two'), event('one')]);
  expect(refused).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
  expect([await eventsOf(one.num), await eventsOf(two.num)]).toEqual([2, 1]);
  expect((await send(two, event('two'))).status).toBe(202);
  expect((await send(one, event('one'))).status).toBe(429);
});

test('a tenant over its limits takes nothing from another', async () => {
  const noisy = await limited('noisy', { events_per_second: 0.01, burst_events: 1 });
  const quiet = await limited('quiet', null);
  await send(noisy, event('noisy'));
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, i) => send(i % 2 === 0 ? noisy : quiet, event(i % 2 === 0 ? 'noisy' : 'quiet'))),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? 429 : 202)));
  expect(answers[1]!.headers.has('ratelimit')).toBe(false);
});

test('a change of the limits holds on every process, is shown, audited, and taken back by null', async () => {
  const tenant = await limited('changed', { events_per_second: 0.01, burst_events: 1 });
  for (const of of [service, second]) await send(tenant, event('changed'), {}, of);
  for (const of of [service, second]) expect((await send(tenant, event('changed'), {}, of)).status).toBe(429);
  const path = '/v1/tenants/changed';
  const limits = { events_per_second: 1000.5, backlog: 7 };
  const patched = await call(second.baseUrl, 'PATCH', path, { limits });
  expect(patched).toMatchObject({
    status: 200,
    body: {
      limits,
      effective_limits: {
        events_per_second: 1000.5,
        burst_events: 1001,
        bytes_per_second: null,
        burst_bytes: null,
        backlog: 7,
      },
    },
  });
  for (const of of [service, second]) {
    await eventually(
      () => send(tenant, event('changed'), {}, of),
      ({ status }) => status === 202,
    );
  }
  const taken = await call(service.baseUrl, 'PATCH', path, { limits: null });
  expect(taken.body).toMatchObject({ limits: null, effective_limits: { events_per_second: null, backlog: null } });
  expect((await call(service.baseUrl, 'GET', path)).body.limits).toBeNull();
  const { rows } = await service.context.apiPool.query(
    `SELECT before, after FROM audit_log WHERE object = 'changed' AND action = 'tenant.updated' ORDER BY id`,
  );
  expect(rows).toEqual([
    { before: { limits: { events_per_second: 0.01, burst_events: 1 } }, after: { limits } },
    { before: { limits }, after: { limits: null } },
  ]);
});

test('a tenant whose backlog is full is told so until deliveries were made, and its other endpoints’ count', async () => {
  const tenant = await limited('backlog', { backlog: 3 });
  const endpoints = [await makeEndpoint(service, tenant), await makeEndpoint(service, tenant)];
  for (const endpoint of [...endpoints, ...endpoints]) {
    await logWaiting(service, tenant, await logEvent(service, tenant), endpoint);
  }
  const full = await eventually(
    () => send(tenant, event('backlog')),
    ({ status }) => status === 429,
  );
  expect(full).toMatchObject({ body: { code: 'backlog_full' } });
  expect(full.headers.get('retry-after')).toBe('5');
  expect(full.headers.get('ratelimit')).toBe('"backlog";r=0;t=5');
  expect(full.headers.get('ratelimit-policy')).toBe('"backlog";q=3;qu="deliveries"');
  await service.context.apiPool.query('DELETE FROM mailbox WHERE tenant_num = $1', [tenant.num]);
  await eventually(
    () => send(tenant, event('backlog')),
    ({ status }) => status === 202,
  );
  // Two deliveries for each event: the third is over it, whether or not it has been counted yet. Until the next count one that was stored
  // during the last one may count twice.
  await eventually(
    () => send(tenant, event('backlog')),
    ({ status }) => status === 202,
  );
  expect(await send(tenant, event('backlog'))).toMatchObject({ status: 429, body: { code: 'backlog_full' } });
});

test('test events are no way around the limits', async () => {
  const tenant = await limited('tester', { events_per_second: 0.01, burst_events: 1 });
  const { id } = await makeEndpoint(service, tenant);
  const path = `/v1/tenants/tester/endpoints/${id}/test`;
  const accepted = await call(service.baseUrl, 'POST', path, {});
  expect(accepted.status).toBe(202);
  const refused = await call(service.baseUrl, 'POST', path, {});
  expect(refused).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
  expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
  for (const { headers } of [accepted, refused]) {
    expect(parsed(headers.get('ratelimit'))).toMatchObject({ events: { r: 0 } });
    expect(parsed(headers.get('ratelimit-policy'))).toMatchObject({ events: { q: 1, qu: 'events' } });
  }
  expect((await send(tenant, event('tester'))).status).toBe(429);
});

test('limits are the operator’s: a tenant key neither reads nor sets them', async () => {
  const tenant = await limited('own', { backlog: 1 });
  const headers = { authorization: `Bearer ${tenant.key}` };
  expect((await call(service.baseUrl, 'PATCH', '/v1/tenants/own', { limits: null }, headers)).status).toBe(403);
  expect((await call(service.baseUrl, 'GET', '/v1/tenants/own', undefined, headers)).status).toBe(403);
});

test.each<[unknown, string]>([
  [{ events_per_second: 0 }, 'limits.events_per_second'],
  [{ events_per_second: -1 }, 'limits.events_per_second'],
  [{ events_per_second: '5' }, 'limits.events_per_second'],
  [{ events_per_second: 1e9 }, 'limits.events_per_second'],
  [{ burst_events: 0.5 }, 'limits.burst_events'],
  [{ burst_events: null }, 'limits.burst_events'],
  [{ bytes_per_second: 0 }, 'limits.bytes_per_second'],
  [{ burst_bytes: 1 }, 'limits.burst_bytes'],
  [{ backlog: 0 }, 'limits.backlog'],
  [{ backlog: 1_000_001 }, 'limits.backlog'],
  [{ per_second: 5 }, 'limits.per_second'],
  [[], 'limits'],
  ['none', 'limits'],
])('limits that cannot be are 422 with their path: %j', async (limits, path) => {
  for (const [method, of] of [
    ['POST', ''],
    ['PATCH', '/rate'],
  ] as const) {
    const answer = await call(service.baseUrl, method, `/v1/tenants${of}`, { limits });
    expect(answer.status).toBe(422);
    expect(answer.body.errors[0].path).toBe(path);
  }
});

test('defaults of the installation hold for tenants that have none of their own', async () => {
  const other = await startTestService({
    config: { TENANT_EVENTS_PER_SECOND: 0.01, TENANT_BURST_EVENTS: 1, TENANT_BACKLOG: 50 },
  });
  try {
    await call(other.baseUrl, 'POST', '/v1/tenants', { id: 'plain' });
    expect((await call(other.baseUrl, 'GET', '/v1/tenants/plain')).body).toMatchObject({
      limits: null,
      effective_limits: { events_per_second: 0.01, burst_events: 1, backlog: 50 },
    });
    expect((await call(other.baseUrl, 'POST', '/v1/events', event('plain'))).status).toBe(202);
    expect((await call(other.baseUrl, 'POST', '/v1/events', event('plain'))).status).toBe(429);
  } finally {
    await other.stop();
  }
});
