import { afterAll, beforeAll, expect, test } from 'vitest';
import { deliveryIdOf, eventIdOf, newUuid } from '../../src/domain/ids.ts';
import { DECISION, OUTCOME_CODES } from '../../src/store/codes.ts';
import { call } from '../support/api.ts';
import {
  logAttempt,
  logEvent,
  logPaused,
  logWaiting,
  makeEndpoint,
  makeTenant,
  type TestEndpoint,
  type TestTenant,
} from '../support/log-fixture.ts';
import { queueReplays, replayerOf } from '../support/queue-replays.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});

afterAll(() => service.stop());

const ask = (tenant: TestTenant, method: string, path: string, body?: unknown) =>
  call(service.baseUrl, method, `/v1/tenants/${tenant.id}${path}`, body);

const query = async (text: string, values: unknown[] = []) => (await service.context.apiPool.query(text, values)).rows;

const queueAll = () => queueReplays(replayerOf(service.context.workerPool));

/** A dead letter whose last response had this status and `webhook-delivery`. */
async function logRejected(
  tenant: TestTenant,
  eventUuid: string,
  endpoint: TestEndpoint,
  status: number,
  headers: Record<string, string> = {},
): Promise<void> {
  await query(
    `INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision, status, total_ms, response_headers, response_body)
     VALUES ($1, now(), $2, $3, 1, ${OUTCOME_CODES.rejected}, ${DECISION.deadLetter}, $4, 12, $5, 'no thanks')`,
    [eventUuid, endpoint.num, tenant.num, status, JSON.stringify(headers)],
  );
}

/** Deliveries in every state, of which some are dead letters. */
async function history(id: string) {
  const tenant = await makeTenant(service, id);
  const one = await makeEndpoint(service, tenant);
  const two = await makeEndpoint(service, tenant);
  const [dead, refused, gone, asked, aborted, mended, waiting, cancelled] = [
    await logEvent(service, tenant, 'order.created'),
    await logEvent(service, tenant, 'order.created'),
    await logEvent(service, tenant, 'order.paid'),
    await logEvent(service, tenant, 'order.paid'),
    await logEvent(service, tenant, 'order.paid'),
    await logEvent(service, tenant),
    await logEvent(service, tenant),
    await logEvent(service, tenant),
  ];
  await logAttempt(service, tenant, dead, one, 1, 'timeout', 'retry');
  await logAttempt(service, tenant, dead, one, 2, 'timeout', 'deadLetter');
  await logAttempt(service, tenant, dead, two, 1, 'blocked', 'deadLetter');
  await logRejected(tenant, refused, one, 500, { note: '"webhook-delivery":"disable"' });
  await logRejected(tenant, gone, one, 410, { 'webhook-delivery': 'disable' });
  await logRejected(tenant, asked, one, 500, { 'webhook-delivery': 'abort-message, Disable' });
  await logRejected(tenant, aborted, two, 500, { 'webhook-delivery': ' abort-message ' });
  await logAttempt(service, tenant, mended, one, 1, 'dns', 'deadLetter');
  await logAttempt(service, tenant, mended, one, 2, 'delivered', 'done');
  await logAttempt(service, tenant, waiting, one, 1, 'tls', 'deadLetter');
  await logWaiting(service, tenant, waiting, one, 1);
  await logAttempt(service, tenant, cancelled, one, 2, 'skipped', 'cancel');
  return { tenant, one, two, dead, refused, gone, asked, aborted, mended, waiting, cancelled };
}

const listed = async (tenant: TestTenant, filter = '') => {
  const { status, body } = await ask(tenant, 'GET', `/dead-letters${filter}`);
  expect([status, body.next]).toEqual([200, null]);
  return body.data.map((letter: { delivery_id: string; reason: string }) => [letter.delivery_id, letter.reason]);
};

test('what was given up is listed with its reason, newest first, and nothing that was mended, waits again or was cancelled', async () => {
  const { tenant, one, two, dead, refused, gone, asked, aborted } = await history('listed');
  expect(await listed(tenant)).toEqual([
    [deliveryIdOf(aborted, two.num), 'aborted'],
    [deliveryIdOf(asked, one.num), 'disabled'],
    [deliveryIdOf(gone, one.num), 'gone'],
    [deliveryIdOf(refused, one.num), 'rejected'],
    [deliveryIdOf(dead, two.num), 'blocked'],
    [deliveryIdOf(dead, one.num), 'timeout'],
  ]);
  const pages: string[] = [];
  let cursor = '';
  do {
    const { body } = await ask(tenant, 'GET', `/dead-letters?limit=2${cursor}`);
    pages.push(...body.data.map((letter: { delivery_id: string }) => letter.delivery_id));
    cursor = body.next === null ? '' : `&cursor=${body.next}`;
  } while (cursor !== '');
  expect(pages).toEqual((await listed(tenant)).map(([id]: [string]) => id));
});

test('endpoint, type, event, reason and times narrow the list', async () => {
  const { tenant, one, two, dead, gone, asked, aborted } = await history('narrowed');
  const ids = async (filter: string) => (await listed(tenant, filter)).map(([id]: [string]) => id);
  expect(await ids(`?endpoint_id=${two.id}`)).toEqual([deliveryIdOf(aborted, two.num), deliveryIdOf(dead, two.num)]);
  expect(await ids(`?type=order.paid&endpoint_id=${one.id}`)).toEqual([
    deliveryIdOf(asked, one.num),
    deliveryIdOf(gone, one.num),
  ]);
  expect(await ids(`?event_id=${eventIdOf(dead)}`)).toEqual([deliveryIdOf(dead, two.num), deliveryIdOf(dead, one.num)]);
  expect(await ids('?reason=timeout')).toEqual([deliveryIdOf(dead, one.num)]);
  expect(await ids('?reason=tls')).toEqual([]);
  expect(await ids('?until=2024-01-01T00:00:00Z')).toEqual([]);
  expect(await ids('?since=2024-01-01T00:00:00Z&reason=gone')).toEqual([deliveryIdOf(gone, one.num)]);
  expect(await ids('?endpoint_id=ep_unknown')).toEqual([]);
  expect(await ids('?event_id=unknown')).toEqual([]);
});

test('a dead letter tells its last answer, how often it was tried, and where its event is', async () => {
  const { tenant, one, dead, refused, mended } = await history('inspected');
  const id = deliveryIdOf(refused, one.num);
  const { body } = await ask(tenant, 'GET', `/dead-letters/${id}`);
  expect(body).toMatchObject({
    delivery_id: id,
    event_id: eventIdOf(refused),
    event_type: 'order.created',
    endpoint_id: one.id,
    tenant_id: tenant.id,
    reason: 'rejected',
    attempts: 1,
    last_attempt: { number: 1, outcome: 'rejected', status: 500, response: { body: 'no thanks' } },
  });
  expect((await call(service.baseUrl, 'GET', body.event_url)).body).toMatchObject({ type: 'order.created', data: {} });
  const days = (Date.parse(body.expires_at) - Date.parse(body.created_at)) / 86_400_000;
  expect(days).toBeGreaterThanOrEqual(90);
  expect(days).toBeLessThanOrEqual(91);
  expect((await ask(tenant, 'GET', `/dead-letters/${deliveryIdOf(dead, one.num)}`)).body).toMatchObject({
    attempts: 2,
    last_attempt: { number: 2, outcome: 'timeout', response: null },
  });
  expect(await ask(tenant, 'GET', `/dead-letters/${deliveryIdOf(mended, one.num)}`)).toMatchObject({
    status: 404,
    body: { code: 'dead_letter_not_found' },
  });
});

test('counts of the tenant and of an endpoint are what the lists hold', async () => {
  const { tenant, one } = await history('counted');
  const two = (await ask(tenant, 'GET', '/endpoints')).body.data[0];
  expect((await ask(tenant, 'GET', '/dead-letters/stats')).body).toEqual({
    total: 6,
    by_reason: { timeout: 1, blocked: 1, rejected: 1, gone: 1, disabled: 1, aborted: 1 },
    by_endpoint: { [one.id]: 4, [two.id]: 2 },
    capped: false,
  });
  expect((await ask(tenant, 'GET', `/endpoints/${two.id}/stats`)).body.dead_letters).toEqual({
    total: 2,
    by_reason: { blocked: 1, aborted: 1 },
    capped: false,
  });
});

const waitingOf = async (tenant: TestTenant) =>
  (
    await query(
      'SELECT event_id, endpoint_num, attempt FROM mailbox WHERE tenant_num = $1 AND replay_num IS NOT NULL ORDER BY 1, 2',
      [tenant.num],
    )
  ).map((row) => [row.event_id, row.endpoint_num, row.attempt]);

test('a redrive by filter makes those that pass it, one by ids those that it names, and one without either all; each is a replay with its progress', async () => {
  const { tenant, one, two, dead, gone, asked, aborted, refused } = await history('redriven');
  const redrive = async (body: object) => {
    const answer = await ask(tenant, 'POST', '/dead-letters/redrive', body);
    expect(answer).toMatchObject({ status: 202, body: { state: 'pending', request: { status: 'dead_lettered' } } });
    await queueAll();
    const made = await waitingOf(tenant);
    expect((await ask(tenant, 'GET', `/replays/${answer.body.id}`)).body).toMatchObject({ matched: made.length });
    expect((await ask(tenant, 'DELETE', `/replays/${answer.body.id}`)).status).toBe(made.length === 0 ? 409 : 204);
    return made;
  };
  expect(await redrive({ reason: 'timeout' })).toEqual([[dead, one.num, 2]]);
  expect(await redrive({ reason: 'gone', type: 'order.created' })).toEqual([]);
  expect(await redrive({ type: 'order.paid', endpoint_id: one.id })).toEqual([
    [gone, one.num, 1],
    [asked, one.num, 1],
  ]);
  expect(await redrive({ event_id: eventIdOf(dead) })).toEqual([
    [dead, one.num, 2],
    [dead, two.num, 1],
  ]);
  const named = [deliveryIdOf(dead, two.num), deliveryIdOf(aborted, two.num)];
  expect(await redrive({ delivery_ids: named })).toEqual([
    [dead, two.num, 1],
    [aborted, two.num, 1],
  ]);
  expect(await redrive({ delivery_ids: named, reason: 'aborted' })).toEqual([[aborted, two.num, 1]]);
  expect(await redrive({})).toEqual([
    [dead, one.num, 2],
    [dead, two.num, 1],
    [refused, one.num, 1],
    [gone, one.num, 1],
    [asked, one.num, 1],
    [aborted, two.num, 1],
  ]);
});

test('what was purged is cancelled for good, its attempts stay, and no redrive of dead letters brings it back', async () => {
  const { tenant, one, dead } = await history('purged');
  const before = await query('SELECT * FROM attempts WHERE tenant_num = $1 ORDER BY 1, 2, 3', [tenant.num]);
  const id = deliveryIdOf(dead, one.num);
  const body = { delivery_ids: [id] };
  expect(await ask(tenant, 'POST', '/dead-letters/purge', body)).toMatchObject({
    status: 200,
    body: { purged: 1, complete: true },
  });
  expect((await ask(tenant, 'POST', '/dead-letters/purge', body)).body).toEqual({
    purged: 0,
    complete: true,
    next: null,
  });
  expect(await listed(tenant, '?reason=timeout')).toEqual([]);
  expect((await ask(tenant, 'GET', `/dead-letters/${id}`)).status).toBe(404);
  expect((await ask(tenant, 'GET', `/deliveries/${id}`)).body).toMatchObject({
    status: 'cancelled',
    attempts: 2,
    last_attempt: { outcome: 'skipped', detail: 'purged' },
  });
  const after = await query('SELECT * FROM attempts WHERE tenant_num = $1 ORDER BY 1, 2, 3', [tenant.num]);
  expect(after).toEqual(expect.arrayContaining(before));
  expect(after).toHaveLength(before.length + 1);
  await ask(tenant, 'POST', '/replays', { status: 'dead_lettered' });
  await queueAll();
  expect((await waitingOf(tenant)).map(([event, endpoint]) => deliveryIdOf(event, endpoint))).not.toContain(id);
});

test('a dead letter that is named twice is purged once, and redriven once', async () => {
  const { tenant, one, dead, refused } = await history('named-twice');
  const [first, second] = [deliveryIdOf(dead, one.num), deliveryIdOf(refused, one.num)];
  const delivery_ids = [first, second, first];
  const redrive = await ask(tenant, 'POST', '/dead-letters/redrive', { delivery_ids });
  await queueAll();
  expect((await ask(tenant, 'GET', `/replays/${redrive.body.id}`)).body).toMatchObject({ matched: 2 });
  await ask(tenant, 'DELETE', `/replays/${redrive.body.id}`);
  expect(await ask(tenant, 'POST', '/dead-letters/purge', { delivery_ids })).toMatchObject({
    status: 200,
    body: { purged: 2 },
  });
});

test('a purge by filter takes those that pass it, says who did it and what was asked, and leaves what waits again', async () => {
  const { tenant, one, waiting } = await history('purged-by-filter');
  expect((await ask(tenant, 'POST', '/dead-letters/purge', { endpoint_id: one.id, type: 'order.paid' })).body).toEqual({
    purged: 2,
    complete: true,
    next: null,
  });
  expect((await ask(tenant, 'POST', '/dead-letters/purge', { reason: 'blocked' })).body.purged).toBe(1);
  expect((await ask(tenant, 'POST', '/dead-letters/purge', { until: '2024-01-01T00:00:00Z' })).body.purged).toBe(0);
  expect((await ask(tenant, 'POST', '/dead-letters/purge', { event_id: 'unknown' })).body.purged).toBe(0);
  expect((await ask(tenant, 'POST', '/dead-letters/purge', { all: true })).body.purged).toBe(3);
  expect(await listed(tenant)).toEqual([]);
  expect((await ask(tenant, 'GET', `/deliveries/${deliveryIdOf(waiting, one.num)}`)).body.status).toBe('retrying');
  const audit = await query(
    `SELECT actor, object, after FROM audit_log WHERE tenant_num = $1 AND action = 'dead_letters.purged' ORDER BY id`,
    [tenant.num],
  );
  expect(audit).toEqual([
    {
      actor: 'operator',
      object: tenant.id,
      after: { purged: 2, request: { endpoint_id: one.id, type: 'order.paid' } },
    },
    { actor: 'operator', object: tenant.id, after: { purged: 1, request: { reason: 'blocked' } } },
    { actor: 'operator', object: tenant.id, after: { purged: 3, request: { all: true } } },
  ]);
});

test('a purge of the dead letter that an ordered endpoint waits for lets go what stands behind it', async () => {
  const tenant = await makeTenant(service, 'paused');
  const endpoint = await makeEndpoint(service, tenant, { order: 'endpoint', on_dead_letter: 'pause' });
  const dead = await logEvent(service, tenant);
  await logAttempt(service, tenant, dead, endpoint, 1, 'timeout', 'deadLetter');
  const behind = await logPaused(service, tenant, dead, endpoint);
  expect((await ask(tenant, 'POST', '/dead-letters/purge', { all: true })).body.purged).toBe(1);
  const due = await query('SELECT event_id FROM mailbox WHERE tenant_num = $1 AND due_at <= now() AND NOT parked', [
    tenant.num,
  ]);
  expect(due).toEqual([{ event_id: behind }]);
  expect(await query('SELECT event_id FROM paused_keys WHERE endpoint_num = $1', [endpoint.num])).toEqual([]);
});

test('nobody lists, inspects, redrives or purges the dead letters of another tenant', async () => {
  const { tenant, one, dead } = await history('walled');
  const other = await makeTenant(service, 'on-the-other-side');
  const { key } = (await ask(other, 'POST', '/keys', {})).body;
  const mine = { authorization: `Bearer ${key}` };
  const id = deliveryIdOf(dead, one.num);
  const facts = async () => [
    await listed(tenant),
    await query('SELECT count(*) FROM attempts'),
    await waitingOf(tenant),
  ];
  const before = await facts();
  const path = `/v1/tenants/${other.id}/dead-letters`;
  const own = (method: string, of: string, body?: unknown) => call(service.baseUrl, method, path + of, body, mine);
  expect((await own('GET', '')).body.data).toEqual([]);
  expect((await own('GET', `?endpoint_id=${one.id}`)).body.data).toEqual([]);
  expect((await own('GET', `?event_id=${eventIdOf(dead)}`)).body.data).toEqual([]);
  expect((await own('GET', `/${id}`)).status).toBe(404);
  expect((await own('GET', '/stats')).body.total).toBe(0);
  expect((await own('POST', '/redrive', { delivery_ids: [id] })).status).toBe(422);
  expect((await own('POST', '/redrive', {})).status).toBe(202);
  expect((await own('POST', '/purge', { delivery_ids: [id] })).body.purged).toBe(0);
  expect((await own('POST', '/purge', { all: true })).body.purged).toBe(0);
  expect((await own('POST', '/purge', { event_id: eventIdOf(dead) })).body.purged).toBe(0);
  expect((await own('POST', '/purge', { endpoint_id: one.id })).status).toBe(422);
  for (const [method, of] of [
    ['GET', ''],
    ['GET', '/stats'],
    ['GET', `/${id}`],
    ['POST', '/redrive'],
    ['POST', '/purge'],
  ] as const) {
    const theirs = `/v1/tenants/${tenant.id}/dead-letters${of}`;
    const answer = await call(service.baseUrl, method, theirs, method === 'GET' ? undefined : { all: true }, mine);
    expect(answer).toMatchObject({ status: 404, body: { code: 'tenant_not_found' } });
  }
  await queueAll();
  expect(await facts()).toEqual(before);
});

test('a key that only reads can neither redrive nor purge', async () => {
  const tenant = await makeTenant(service, 'read-only');
  const { key } = (await ask(tenant, 'POST', '/keys', { scopes: ['deliveries:read'] })).body;
  for (const action of ['redrive', 'purge']) {
    const path = `/v1/tenants/${tenant.id}/dead-letters/${action}`;
    const answer = await call(service.baseUrl, 'POST', path, { all: true }, { authorization: `Bearer ${key}` });
    expect(answer).toMatchObject({ status: 403, body: { code: 'missing_scope' } });
  }
});

const manyIds = (count: number) => Array.from({ length: count }, (_, i) => deliveryIdOf(newUuid(Date.now()), i + 1));
let bad: Promise<TestTenant> | undefined;
const badTenant = () => {
  bad ??= makeTenant(service, 'bad-letters');
  return bad;
};

test.each<[string, unknown, number, string]>([
  ['redrive', { delivery_ids: [] }, 422, 'delivery_ids'],
  ['redrive', { delivery_ids: ['x'] }, 422, 'delivery_ids.0'],
  ['redrive', { delivery_ids: manyIds(2) }, 422, 'delivery_ids.0'],
  ['redrive', { delivery_ids: manyIds(1_001) }, 422, 'delivery_ids'],
  ['redrive', { delivery_ids: manyIds(10_001) }, 413, ''],
  ['redrive', { reason: 'bored' }, 422, 'reason'],
  ['redrive', { event_id: 'unknown' }, 422, 'event_id'],
  ['redrive', { endpoint_id: 'ep_unknown' }, 422, 'endpoint_id'],
  ['redrive', { since: 'yesterday' }, 422, 'since'],
  ['redrive', { status: 'dead_lettered' }, 422, 'status'],
  ['purge', {}, 422, ''],
  ['purge', { all: false }, 422, 'all'],
  ['purge', { all: true, reason: 'timeout' }, 422, ''],
  ['purge', { delivery_ids: manyIds(1), type: 'a.b' }, 422, ''],
  ['purge', { delivery_ids: manyIds(1_001) }, 422, 'delivery_ids'],
  ['purge', { delivery_ids: manyIds(10_001) }, 413, ''],
  ['purge', { type: 'a..b' }, 422, 'type'],
  ['purge', { reason: '__proto__' }, 422, 'reason'],
  ['purge', { since: '2024-01-02T00:00:00Z', until: '2024-01-01T00:00:00Z' }, 422, 'until'],
  ['purge', { since: '2024-01-01T00:00:00.0009Z', until: '2024-01-01T00:00:00.0001Z' }, 422, 'until'],
  ['purge', { endpoint_id: '\u0000' }, 422, 'endpoint_id'],
  ['purge', { endpoint_id: 'ep_unknown' }, 422, 'endpoint_id'],
])('%s of what cannot be asked for is refused with its path: %j', async (action, body, status, path) => {
  const answer = await ask(await badTenant(), 'POST', `/dead-letters/${action}`, body);
  expect(answer.status).toBe(status);
  if (status === 422) expect(answer.body.errors[0].path).toBe(path);
});

test('a purge between two times within one millisecond is of nothing: events are accepted at whole ones', async () => {
  const body = { since: '2024-01-01T00:00:00.0001Z', until: '2024-01-01T00:00:00.0009Z' };
  expect(await ask(await badTenant(), 'POST', '/dead-letters/purge', body)).toMatchObject({
    status: 200,
    body: { purged: 0, complete: true },
  });
});

test.each([
  '?reason=bored',
  '?reason=gone&reason=gone',
  '?type=a..b',
  '?event_id=a.b',
  '?endpoint_id=%00',
  '?since=now',
  '?since=2024-01-02T00:00:00Z&until=2024-01-01T00:00:00Z',
  '?limit=251',
  '?status=dead_lettered',
  '?cursor=garbage',
])('a list that cannot be asked for is 422: %s', async (asked) => {
  expect((await ask(await badTenant(), 'GET', `/dead-letters${asked}`)).status).toBe(422);
});

test('a cursor of another route, another filter or another tenant is refused', async () => {
  const { tenant } = await history('cursors');
  const other = (await history('other-cursors')).tenant;
  const { next } = (await ask(tenant, 'GET', '/dead-letters?limit=1')).body;
  const { next: ofDeliveries } = (await ask(tenant, 'GET', '/deliveries?limit=1')).body;
  expect(next).toEqual(expect.any(String));
  for (const answer of [
    await ask(other, 'GET', `/dead-letters?limit=1&cursor=${next}`),
    await ask(tenant, 'GET', `/dead-letters?limit=1&reason=gone&cursor=${next}`),
    await ask(tenant, 'GET', `/deliveries?limit=1&cursor=${next}`),
    await ask(tenant, 'GET', `/dead-letters?limit=1&cursor=${ofDeliveries}`),
  ]) {
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ path: 'cursor' }] } });
  }
});
