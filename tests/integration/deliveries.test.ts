import { afterAll, beforeAll, expect, test } from 'vitest';
import { deliveryIdOf } from '../../src/domain/ids.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import {
  logAttempt,
  logEvent,
  logWaiting,
  makeEndpoint,
  makeTenant,
  type TestEndpoint,
  type TestTenant,
} from '../support/log-fixture.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;
let receiver: Receiver;
let tenant: TestTenant;
const get = (path: string) => call(service.baseUrl, 'GET', `/v1/tenants/${tenant.id}${path}`);
const post = (path: string, body?: unknown) => call(service.baseUrl, 'POST', `/v1/tenants/${tenant.id}${path}`, body);

interface Expected {
  readonly id: string;
  readonly status: string;
  readonly type: string;
  readonly eventUuid: string;
  readonly endpoint: string;
}

/** Newest first, as every list must have them. */
const expected: Expected[] = [];
let endpoints: TestEndpoint[];

beforeAll(async () => {
  service = await startTestService();
  receiver = await startReceiver();
  tenant = await makeTenant(service, 'lists');
  endpoints = [
    await makeEndpoint(service, tenant),
    await makeEndpoint(service, tenant),
    await makeEndpoint(service, tenant),
  ];
  const states = ['pending', 'retrying', 'delivered', 'dead_lettered', 'cancelled', 'reopened', 'redelivered'] as const;
  for (let i = 0; i < 60; i++) {
    const type = i % 3 === 0 ? 'order.created' : 'order.paid';
    const eventUuid = await logEvent(service, tenant, type);
    for (const [j, endpoint] of endpoints.entries()) {
      // Every fourth event went to one endpoint only, and every tenth to none.
      if ((i % 4 === 0 && j > 0) || i % 10 === 0) continue;
      const state = states[(i * 3 + j * 5) % states.length]!;
      expected.unshift({
        id: deliveryIdOf(eventUuid, endpoint.num),
        status: await makeDelivery(eventUuid, endpoint, state),
        type,
        eventUuid,
        endpoint: endpoint.id,
      });
    }
  }
  const other = await makeTenant(service, 'lists-other');
  const theirs = await makeEndpoint(service, other);
  const eventUuid = await logEvent(service, other);
  await logAttempt(service, other, eventUuid, theirs, 1, 'delivered', 'done');
});

afterAll(async () => {
  await receiver.close();
  await service.stop();
});

async function makeDelivery(eventUuid: string, endpoint: TestEndpoint, state: string): Promise<string> {
  const attempt = (
    n: number,
    ...rest: ['delivered' | 'rejected' | 'skipped', 'done' | 'retry' | 'deadLetter' | 'cancel']
  ) => logAttempt(service, tenant, eventUuid, endpoint, n, ...rest);
  switch (state) {
    case 'pending':
      await logWaiting(service, tenant, eventUuid, endpoint);
      return 'pending';
    case 'retrying':
      await attempt(1, 'rejected', 'retry');
      await logWaiting(service, tenant, eventUuid, endpoint, 1);
      return 'retrying';
    case 'delivered':
      await attempt(1, 'rejected', 'retry');
      await attempt(2, 'delivered', 'done');
      return 'delivered';
    case 'dead_lettered':
      await attempt(1, 'rejected', 'deadLetter');
      return 'dead_lettered';
    case 'cancelled':
      await attempt(2, 'skipped', 'cancel');
      return 'cancelled';
    case 'reopened':
      await attempt(1, 'rejected', 'deadLetter');
      await logWaiting(service, tenant, eventUuid, endpoint, 1);
      return 'retrying';
    default:
      await attempt(1, 'rejected', 'deadLetter');
      await attempt(2, 'skipped', 'cancel');
      await attempt(3, 'delivered', 'done');
      return 'delivered';
  }
}

async function allPages(path: string, limit: number, of = tenant): Promise<string[]> {
  const ids: string[] = [];
  let cursor = '';
  for (let pages = 0; pages < 200; pages++) {
    const query = `${path.includes('?') ? '&' : '?'}limit=${limit}${cursor}`;
    const { status, body } = await call(service.baseUrl, 'GET', `/v1/tenants/${of.id}${path}${query}`);
    expect(status).toBe(200);
    expect(body.data.length).toBeLessThanOrEqual(limit);
    ids.push(...body.data.map(({ id }: { id: string }) => id));
    if (body.next === null) return ids;
    cursor = `&cursor=${body.next}`;
  }
  throw new Error('The list has no end.');
}

const statuses = [undefined, 'pending', 'retrying', 'delivered', 'dead_lettered', 'cancelled'];
const combinations = statuses.flatMap((status) =>
  [undefined, 1].flatMap((endpoint) =>
    [undefined, 'order.paid'].flatMap((type) => {
      // One to a page only where few are found: each page is a request.
      const fewest = status === undefined || endpoint === undefined ? 7 : 1;
      return [fewest, 250].map((limit) => ({ status, endpoint, type, limit }));
    }),
  ),
);

test.each(combinations)(
  'a list of deliveries holds each one that its filters match exactly once, newest first: %o',
  async ({ status, endpoint, type, limit }) => {
    const filters = [
      ...(status === undefined ? [] : [`status=${status}`]),
      ...(endpoint === undefined ? [] : [`endpoint_id=${endpoints[endpoint]!.id}`]),
      ...(type === undefined ? [] : [`type=${type}`]),
    ];
    const wanted = expected.filter(
      (each) =>
        (status === undefined || each.status === status) &&
        (endpoint === undefined || each.endpoint === endpoints[endpoint]!.id) &&
        (type === undefined || each.type === type),
    );
    // Within an event the newest endpoint comes first; `expected` was filled the same way round.
    expect(wanted.length).toBeGreaterThan(2);
    expect(await allPages(`/deliveries?${filters.join('&')}`, limit)).toEqual(wanted.map(({ id }) => id));
  },
);

test('waiting deliveries are listed in full however unevenly they are spread over endpoints', async () => {
  const uneven = await makeTenant(service, 'uneven');
  const ten: TestEndpoint[] = [];
  for (let i = 0; i < 10; i++) ten.push(await makeEndpoint(service, uneven));
  const wanted: string[] = [];
  for (let i = 0; i < 120; i++) {
    const endpoint = ten[i < 60 ? 9 : 2]!;
    const eventUuid = await logEvent(service, uneven);
    await logWaiting(service, uneven, eventUuid, endpoint);
    wanted.unshift(deliveryIdOf(eventUuid, endpoint.num));
  }
  for (const limit of [20, 50]) expect(await allPages('/deliveries?status=pending', limit, uneven)).toEqual(wanted);
  expect(await allPages('/deliveries?status=retrying', 20, uneven)).toEqual([]);
});

test('the deliveries of one event are listed, by path and by filter', async () => {
  const { eventUuid } = expected.find((each, i) => expected[i + 2]?.eventUuid === each.eventUuid)!;
  const wanted = expected.filter((each) => each.eventUuid === eventUuid);
  expect(wanted).toHaveLength(3);
  const detail = await get(`/deliveries/${wanted[0]!.id}`);
  expect(await allPages(`/events/${detail.body.event_id}/deliveries`, 2)).toEqual(wanted.map(({ id }) => id));
  expect(await allPages(`/deliveries?event_id=${detail.body.event_id}`, 1)).toEqual(wanted.map(({ id }) => id));
  const one = wanted[1]!;
  expect(await allPages(`/deliveries?event_id=${detail.body.event_id}&endpoint_id=${one.endpoint}`, 1)).toEqual([
    one.id,
  ]);
});

test('since is included and until is not', async () => {
  const { body } = await get('/deliveries?limit=250');
  const times = [...new Set(body.data.map((each: { created_at: string }) => each.created_at))] as string[];
  const [since, until] = [times[Math.floor(times.length / 2)]!, times[1]!];
  const wanted = body.data.filter(
    (each: { created_at: string }) => each.created_at >= since && each.created_at < until,
  );
  expect(wanted.length).toBeGreaterThan(0);
  for (const status of [
    '',
    '&status=pending',
    '&status=delivered',
    '&status=dead_lettered',
    `&endpoint_id=${endpoints[0]!.id}`,
  ]) {
    const ids = await allPages(`/deliveries?since=${since}&until=${until}${status}`, 3);
    const [name, value] = status.slice(1).split('=');
    expect(ids).toEqual(
      wanted
        .filter((each: Record<string, string>) => status === '' || each[name!] === value)
        .map((each: { id: string }) => each.id),
    );
  }
});

test('an endpoint or event that the tenant does not have gives an empty list, another tenant’s too', async () => {
  for (const filter of ['endpoint_id=ep_nope', 'event_id=nope', 'since=2100-01-01T00:00:00Z']) {
    expect(await get(`/deliveries?${filter}`)).toMatchObject({ status: 200, body: { data: [], next: null } });
  }
  const theirs = await call(service.baseUrl, 'GET', '/v1/tenants/lists-other/deliveries');
  expect(theirs.body.data).toHaveLength(1);
  const { id, endpoint_id, event_id } = theirs.body.data[0];
  expect((await get(`/deliveries?endpoint_id=${endpoint_id}`)).body.data).toEqual([]);
  expect((await get(`/deliveries?event_id=${event_id}`)).body.data).toEqual([]);
  for (const path of [
    `/deliveries/${id}`,
    `/deliveries/${id}/attempts`,
    `/events/${event_id}`,
    `/events/${event_id}/deliveries`,
  ])
    expect((await get(path)).status).toBe(404);
  expect((await post(`/deliveries/${id}/retry`)).status).toBe(404);
  expect((await post(`/deliveries/${id}/cancel`)).status).toBe(404);
});

test.each([
  'limit=0',
  'limit=-1',
  'limit=1e9',
  'limit=1e2',
  'limit=0x10',
  'limit=NaN',
  'limit=251',
  'limit=1&limit=2',
  'cursor=garbage',
  'cursor=',
  'cursor=%00',
  'status=done',
  'status=',
  'type=a..b',
  'type=*',
  'since=yesterday',
  'since=2024-02-30T00:00:00Z',
  'until=1',
  'event_id=a.b',
  'event_id=a/b',
  'event_id=%00',
  `event_id=${'x'.repeat(257)}`,
  'endpoint_id=%00',
  'order=created_at;drop',
  'id[$ne]=1',
  'a[__proto__][b]=1',
  '__proto__=1',
])('a bad query parameter is 422 with its path: %s', async (query) => {
  const answer = await get(`/deliveries?${query}`);
  expect(answer.status).toBe(422);
  expect(answer.body.errors[0].path).toBe(decodeURIComponent(query.split('=')[0]!));
});

test('a cursor is good for its own list and tenant alone', async () => {
  const { next } = (await get('/deliveries?limit=1')).body;
  expect((await get(`/deliveries?limit=1&cursor=${next}`)).status).toBe(200);
  expect((await get(`/deliveries?status=pending&cursor=${next}`)).status).toBe(422);
  expect((await get(`/events?cursor=${next}`)).status).toBe(422);
  expect((await call(service.baseUrl, 'GET', `/v1/tenants/lists-other/deliveries?cursor=${next}`)).status).toBe(422);
  expect((await get(`/deliveries?limit=1&cursor=${next.slice(0, -2)}AA`)).status).toBe(422);
});

test.each(['dlv_x', '..%2f..', 'x', `dlv_${'z'.repeat(32)}`, `dlv_${'0'.repeat(32)}`, '%00'])(
  'an id that names no delivery is 404: %s',
  async (id) => {
    for (const path of [`/deliveries/${id}`, `/deliveries/${id}/attempts`]) expect((await get(path)).status).toBe(404);
    for (const action of ['retry', 'cancel']) expect((await post(`/deliveries/${id}/${action}`)).status).toBe(404);
  },
);

test('an ended delivery is reopened by retry with its next attempt number, and a waiting one is made due', async () => {
  for (const [status, attempt] of [
    ['dead_lettered', 1],
    ['cancelled', 2],
    ['pending', 0],
  ] as const) {
    const delivery = expected.findLast((each) => each.status === status)!;
    expect((await post(`/deliveries/${delivery.id}/retry`)).body).toMatchObject({
      id: delivery.id,
      status: attempt === 0 ? 'pending' : 'retrying',
    });
    const { rows } = await service.context.apiPool.query(
      'SELECT attempt, step, due_at <= now() AS due FROM mailbox JOIN endpoints e ON e.num = endpoint_num WHERE event_id = $1 AND e.id = $2',
      [delivery.eventUuid, delivery.endpoint],
    );
    expect(rows).toEqual([{ attempt, step: 0, due: true }]);
  }
});

test('cancelling ends a waiting delivery on record, and an ended one is 409', async () => {
  const delivery = expected.find((each) => each.status === 'pending')!;
  expect(await post(`/deliveries/${delivery.id}/cancel`)).toMatchObject({
    status: 202,
    body: { status: 'cancelled', attempts: 0, next_attempt_at: null },
  });
  expect(await post(`/deliveries/${delivery.id}/cancel`)).toMatchObject({
    status: 409,
    body: { code: 'delivery_ended' },
  });
  expect((await get(`/deliveries/${delivery.id}/attempts`)).body.data).toMatchObject([
    { number: 2, outcome: 'skipped', detail: 'cancelled_by_request', response: null },
  ]);
  expect((await get('/audit?limit=1')).body.data).toMatchObject([
    { action: 'delivery.cancelled', object: delivery.id, actor: 'operator' },
  ]);
});

test('the number of a cancellation leaves one free for the request that may be under way, which is kept as late', async () => {
  const endpoint = await makeEndpoint(service, tenant);
  const eventUuid = await logEvent(service, tenant);
  await logAttempt(service, tenant, eventUuid, endpoint, 1, 'rejected', 'retry');
  await logWaiting(service, tenant, eventUuid, endpoint, 1);
  const path = `/deliveries/${deliveryIdOf(eventUuid, endpoint.num)}`;
  const cancelled = await post(`${path}/cancel`);
  expect(cancelled.body).toMatchObject({ status: 'cancelled', attempts: 1, last_attempt: { number: 3 } });
  await logAttempt(service, tenant, eventUuid, endpoint, 2, 'delivered', 'late');
  expect((await get(path)).body).toMatchObject({ status: 'cancelled', attempts: 2, last_attempt: { number: 3 } });
  const { data } = (await get(`${path}/attempts`)).body;
  expect(data.map(({ number, is_late }: { number: number; is_late: boolean }) => [number, is_late])).toEqual([
    [3, false],
    [2, true],
    [1, false],
  ]);
});

test('retry is refused when the endpoint is deleted, and waits when it is disabled, and says so', async () => {
  const endpoint = await makeEndpoint(service, tenant);
  const eventUuid = await logEvent(service, tenant);
  await logAttempt(service, tenant, eventUuid, endpoint, 1, 'rejected', 'deadLetter');
  const id = deliveryIdOf(eventUuid, endpoint.num);
  const enable = (enabled: boolean) =>
    call(service.baseUrl, 'PATCH', `/v1/tenants/lists/endpoints/${endpoint.id}`, { enabled });
  const shown = async () => (await get(`/deliveries/${id}`)).body;
  await enable(false);
  // Nothing waits for it.
  expect(await shown()).toMatchObject({ status: 'dead_lettered', problem: null });
  const waits = { status: 'retrying', problem: expect.stringContaining('disabled') };
  expect(await post(`/deliveries/${id}/retry`)).toMatchObject({ status: 202, body: waits });
  expect(await shown()).toMatchObject(waits);
  await enable(true);
  expect(await shown()).toMatchObject({ status: 'retrying', problem: null });
  await enable(false);
  expect(await post(`/endpoints/${endpoint.id}/test`)).toMatchObject({
    status: 409,
    body: { code: 'endpoint_disabled' },
  });
  await call(service.baseUrl, 'DELETE', `/v1/tenants/lists/endpoints/${endpoint.id}`);
  expect(await post(`/deliveries/${id}/retry`)).toMatchObject({ status: 409, body: { code: 'endpoint_deleted' } });
  expect((await post(`/endpoints/${endpoint.id}/test`)).status).toBe(404);
});

test('a test event reaches its endpoint alone, whatever that subscribes to, and its attempt is on record in full', async () => {
  const worker = await startTestService({ databaseUrl: service.databaseUrl, worker: true });
  try {
    const headers = { 'x-seen': 'yes', 'set-cookie': ['a=s3cret', 'b=s3cret'] };
    receiver.behave((_request, response) => void response.writeHead(200, headers).end(Buffer.from([0xff, 0xfe, 0x00])));
    const endpoint = await makeEndpoint(service, tenant, {
      url: `${receiver.url}/test`,
      subscriptions: [{ types: ['nothing.at.all'] }],
    });
    const data = '{"n":9007199254740993,"d":1.10}';
    const answer = await post(`/endpoints/${endpoint.id}/test`, `{ "data": ${data} }`);
    expect(answer.status).toBe(202);
    const [request] = await receiver.received(1);
    expect(request).toMatchObject({ path: '/test', headers: { 'webhook-id': answer.body.event_id } });
    expect(JSON.parse(request!.body.toString())).toMatchObject({ type: 'posthorn.test' });
    // Read and written again, its numbers would be others.
    expect(request!.body.toString()).toContain(`"data":${data}`);
    const delivery = await eventually(
      () => get(`/deliveries/${answer.body.delivery_id}`),
      ({ body }) => body.status === 'delivered',
    );
    expect(delivery.body).toMatchObject({
      event_id: answer.body.event_id,
      event_type: 'posthorn.test',
      endpoint_id: endpoint.id,
      tenant_id: 'lists',
      attempts: 1,
      next_attempt_at: null,
      last_attempt: { number: 1, outcome: 'delivered', status: 200 },
    });
    const { body } = await get(`/deliveries/${answer.body.delivery_id}/attempts`);
    expect(body.data).toMatchObject([
      {
        number: 1,
        outcome: 'delivered',
        status: 200,
        is_late: false,
        response: { headers: { 'x-seen': 'yes', 'set-cookie': '…' }, body: '//4A', body_encoding: 'base64' },
      },
    ]);
    expect(body.data[0].timing.total_ms).toBeGreaterThanOrEqual(0);
    expect((await post(`/endpoints/${endpoint.id}/test`, { type: 'system.x' })).body.errors[0].path).toBe('type');
    expect((await post(`/endpoints/${endpoint.id}/test`, '{"data":1,"data":2}')).body.errors[0].path).toBe('data');
    expect((await post(`/endpoints/${endpoint.id}/test`, { colour: 1 })).body.errors[0].path).toBe('colour');
  } finally {
    await worker.stop();
  }
});

test('a time that ends before it begins is refused', async () => {
  const answer = await get('/deliveries?since=2024-01-01T00:00:01Z&until=2024-01-01T00:00:00Z');
  expect(answer).toMatchObject({ status: 422, body: { errors: [{ path: 'until' }] } });
  expect((await get('/deliveries?since=2024-01-01T00:00:00Z&until=2024-01-01T00:00:00Z')).status).toBe(200);
});
