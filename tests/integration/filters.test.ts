import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { call } from '../support/api.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;
let receiver: Receiver;
let tenants = 0;

beforeAll(async () => {
  service = await startTestService({ worker: true });
  receiver = await startReceiver();
});

afterAll(async () => {
  await service.stop();
  await receiver.close();
});

const api = (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
  call(service.baseUrl, method, path, body, headers);

/** A tenant of its own with one endpoint. */
async function subscribed(subscriptions: readonly unknown[]): Promise<{ tenant: string; endpoint: string }> {
  const tenant = `filters-${++tenants}`;
  await api('POST', '/v1/tenants', { id: tenant });
  const answer = await api('POST', `/v1/tenants/${tenant}/endpoints`, {
    url: `${receiver.url}/${tenant}`,
    subscriptions,
  });
  expect(answer).toMatchObject({ status: 201 });
  return { tenant, endpoint: `/v1/tenants/${tenant}/endpoints/${answer.body.id}` };
}

/** Deliveries that an event makes; fields as JSON text. */
async function deliveries(tenant: string, fields: string): Promise<number> {
  const answer = await api('POST', '/v1/events', `{"tenant_id":"${tenant}",${fields}}`);
  expect(answer).toMatchObject({ status: 202 });
  return answer.body.deliveries;
}

/** Bodies that the tenant's endpoint got, once there are as many. */
async function received(tenant: string, count: number): Promise<readonly string[]> {
  const ours = () => receiver.requests.filter(({ path }) => path === `/${tenant}`).map(({ body }) => body.toString());
  await vi.waitFor(() => expect(ours().length).toBeGreaterThanOrEqual(count), PATIENCE_MS);
  return ours();
}

test('an endpoint receives the events that one of its subscriptions matches, types and filter together, and no other', async () => {
  const { tenant } = await subscribed([
    { types: ['payment.*'], filter: { data: { amount: [{ numeric: ['>', 100] }] }, metadata: { source: ['shop'] } } },
    { filter: { subject: [{ prefix: 'vip/' }] } },
  ]);
  const shop = '"metadata":{"source":"shop"}';
  const posts: [string, number][] = [
    [`"type":"payment.captured","data":{"amount":100.5,"n":1},${shop}`, 1],
    [`"type":"payment.captured","data":{"amount":100},${shop}`, 0],
    [`"type":"payment.captured","data":{"amount":101},"metadata":{"source":"web"}`, 0],
    [`"type":"refund","data":{"amount":101},${shop}`, 0],
    [`"type":"refund","data":{"n":2},"subject":"vip/7"`, 1],
    [`"type":"payment.captured","data":{"amount":500,"n":3},"subject":"vip/7",${shop}`, 1],
  ];
  for (const [fields, expected] of posts)
    expect([fields, await deliveries(tenant, fields)]).toEqual([fields, expected]);
  const bodies = await received(tenant, 3);
  expect(bodies.map((body) => JSON.parse(body).data.n).sort()).toEqual([1, 2, 3]);
});

test('filters see the event as it is delivered: what Posthorn adds, and numbers to the last digit', async () => {
  const { tenant } = await subscribed([
    { types: ['exact'], filter: { data: [9007199254740992, { numeric: ['>', 1e300] }, 0.1] } },
    {
      types: ['added'],
      filter: {
        version: ['1.0'],
        id: [{ prefix: 'evt_' }],
        tenant_id: [{ exists: true }],
        correlation_id: [{ exists: false }],
      },
    },
    { types: ['names'], filter: JSON.parse('{"data":{"__proto__":{"a.b":["x"]}}}') },
  ]);
  const numbers: [string, number][] = [
    ['9007199254740992', 1],
    ['9007199254740993', 0],
    ['9.007199254740992e15', 1],
    ['1e400', 1],
    ['-1e400', 0],
    ['0.10', 1],
    ['0.1000000000000000055511151231257827', 0],
  ];
  for (const [text, expected] of numbers)
    expect([text, await deliveries(tenant, `"type":"exact","data":${text}`)]).toEqual([text, expected]);
  expect(await deliveries(tenant, '"type":"added","data":null')).toBe(1);
  expect(await deliveries(tenant, '"type":"added","data":null,"correlation_id":"c"')).toBe(0);
  expect(await deliveries(tenant, '"type":"names","data":{"__proto__":{"a":{"b":"x"}}}')).toBe(1);
  expect(await deliveries(tenant, '"type":"names","data":{"a.b":"x"}')).toBe(0);
});

test('every event of a batch is matched by itself', async () => {
  const { tenant } = await subscribed([{ filter: { data: { items: { sku: ['a'], qty: [{ numeric: ['>=', 2] }] } } } }]);
  const event = (items: unknown) => ({ type: 'order', tenant_id: tenant, data: { items } });
  const batch = [
    event([{ sku: 'a', qty: 2 }]),
    event([
      { sku: 'a', qty: 1 },
      { sku: 'b', qty: 2 },
    ]),
    event([
      { sku: 'b', qty: 1 },
      { sku: 'a', qty: 3 },
    ]),
  ];
  const answer = await api('POST', '/v1/events', batch);
  expect(answer.body.items.map((item: { deliveries: number }) => item.deliveries)).toEqual([1, 0, 1]);
});

test('a filter is shown as it was written, its names in their order, and can be changed and taken away', async () => {
  const filter =
    '{"subject":["x"],"data":{"b.c":[{"anything-but":["y",""]}],"a":[1.5,null,"\\u0000"],"$or":[{"q":[true]},{"r":[{"exists":false}]}]}}';
  const { tenant, endpoint } = await subscribed([{ filter: JSON.parse(filter) }]);
  const shown = (await api('GET', endpoint)).body.subscriptions;
  expect(JSON.stringify(shown)).toBe(`[{"filter":${filter}}]`);
  expect(
    (await api('PATCH', endpoint, { subscriptions: [{ types: ['a'], filter: null }] })).body.subscriptions,
  ).toEqual([{ types: ['a'] }]);
  expect(await deliveries(tenant, '"type":"a","data":1')).toBe(1);
});

test('of a path that is given twice the last counts, before and after it was stored', async () => {
  const { tenant, endpoint } = await subscribed([{ filter: { 'data.s': ['x'], data: { s: ['y'] } } }]);
  const both = async () => [
    await deliveries(tenant, '"type":"t","data":{"s":"x"}'),
    await deliveries(tenant, '"type":"t","data":{"s":"y"}'),
  ];
  expect(await both()).toEqual([0, 1]);
  await api('PATCH', endpoint, { subscriptions: [{ filter: { data: { s: ['y'] }, 'data.s': ['x'] } }] });
  expect(await both()).toEqual([1, 0]);
});

test.each([
  ['{"data":[9007199254740993]}', 'data.0'],
  ['{"data":[{"numeric":[">",1e999]}]}', 'data.0.numeric.1'],
  ['{"data":[0.30000000000000000001]}', 'data.0'],
])('a number of a filter that would become another is refused, whoever asks: %s', async (filter, path) => {
  const { tenant, endpoint } = await subscribed([]);
  const subscriptions = `"subscriptions":[{},{"filter":${filter}}]`;
  const answers = [
    await api('POST', `/v1/tenants/${tenant}/endpoints`, `{"url":"${receiver.url}",${subscriptions}}`),
    await api('PATCH', endpoint, `{${subscriptions}}`),
  ];
  for (const answer of answers) {
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ path: `subscriptions.1.filter.${path}` }] } });
  }
  const tested = await api('POST', `/v1/tenants/${tenant}/filters/test`, `{"filter":${filter},"event":{}}`);
  expect(tested).toMatchObject({ status: 422, body: { errors: [{ path: `filter.${path}` }] } });
});

test('a replay gives an endpoint what it missed and its filter matches, to the last digit', async () => {
  const { tenant } = await subscribed([]);
  for (const n of ['1', '9007199254740993', '9007199254740992'])
    await deliveries(tenant, `"type":"t","data":{"n":${n}}`);
  await received(tenant, 3);
  const { body } = await api('POST', `/v1/tenants/${tenant}/endpoints`, {
    url: `${receiver.url}/${tenant}-late`,
    subscriptions: [{ filter: { data: { n: [{ numeric: ['>', 9007199254740992] }] } } }],
  });
  expect(await api('POST', `/v1/tenants/${tenant}/replays`, { endpoint_id: body.id })).toMatchObject({ status: 202 });
  const bodies = await received(`${tenant}-late`, 1);
  expect(bodies).toEqual([expect.stringContaining('9007199254740993')]);
});

const filtersTest = (body: unknown) => api('POST', `/v1/tenants/filters-1/filters/test`, body);

test('filters/test says whether a subscription matches, and which field failed', async () => {
  const filter = { data: { amount: [{ numeric: ['>', 100] }], state: ['open', { prefix: 're' }] } };
  const event = (amount: string, state: string) =>
    `{"type":"payment.captured","data":{"amount":${amount},"state":"${state}"}}`;
  const ask = (types: unknown, text: string) =>
    filtersTest(`{"filter":${JSON.stringify(filter)},"types":${JSON.stringify(types)},"event":${text}}`);
  expect((await ask(['payment.*'], event('100.00000000000000000001', 'reopened'))).body).toEqual({
    matched: true,
    failed: [],
  });
  expect((await ask(['refund', 'payment'], event('1e2', 'closed'))).body).toEqual({
    matched: false,
    failed: [
      { path: 'type', expected: '"refund" or "payment"', found: ['"payment.captured"'] },
      { path: 'data.amount', expected: 'a number > 100', found: ['100'] },
      { path: 'data.state', expected: '"open" or text that begins with "re"', found: ['"closed"'] },
    ],
  });
  expect((await filtersTest({ event: { type: 'system.endpoint.disabled' } })).body.matched).toBe(false);
  expect((await filtersTest({ types: ['system.**'], event: { type: 'system.endpoint.disabled' } })).body.matched).toBe(
    true,
  );
});

test.each([
  [{}, 'event'],
  [{ event: [] }, 'event'],
  [{ event: 'x' }, 'event'],
  [{ event: {}, filter: { a: [{ wildcrad: 'x' }] } }, 'filter.a.0.wildcrad'],
  [{ event: {}, types: ['a..b'] }, 'types.0'],
  [{ event: {}, types: [] }, 'types'],
  [{ event: {}, filters: {} }, 'filters'],
])('filters/test refuses %j with its path', async (body, path) => {
  expect(await filtersTest(body)).toMatchObject({ status: 422, body: { errors: [{ path }] } });
});

test('a trial takes an event as large as any that is taken beside its filter, and says how much that is', async () => {
  const { tenant } = await subscribed([]);
  const { MAX_EVENT_BYTES } = service.context.config;
  const trial = (bytes: number) =>
    api('POST', `/v1/tenants/${tenant}/filters/test`, {
      filter: { data: { a: [{ prefix: 'x' }], b: [{ 'anything-but': Array(1_000).fill('y'.repeat(10)) }] } },
      event: { type: 'a', data: { a: 'x'.repeat(bytes), b: 'z' } },
    });
  expect(await trial(MAX_EVENT_BYTES)).toMatchObject({ status: 200, body: { matched: true } });
  expect(await trial(2 * MAX_EVENT_BYTES)).toMatchObject({
    status: 413,
    body: {
      code: 'too_large',
      detail: `The request body is larger than the ${MAX_EVENT_BYTES + 262_144} bytes that this call takes.`,
    },
  });
});

test('a filter on a field that no event has is refused, and one that an endpoint has already stays', async () => {
  const { endpoint } = await subscribed([{ filter: { data: { amount: [1] } } }]);
  const dead = [{ filter: { amount: [1] } }];
  const refused = { status: 422, body: { errors: [{ path: 'subscriptions.0.filter' }] } };
  const [, , , tenant, , id] = endpoint.split('/');
  const url = receiver.url;
  expect(await api('POST', `/v1/tenants/${tenant}/endpoints`, { url, subscriptions: dead })).toMatchObject(refused);
  expect(await api('PATCH', endpoint, { subscriptions: dead })).toMatchObject(refused);
  // As an earlier version stored it.
  await service.context.apiPool.query('UPDATE endpoints SET subscriptions = $2 WHERE id = $1', [
    id,
    JSON.stringify([{ filter: JSON.stringify(dead[0]!.filter) }]),
  ]);
  expect(await api('PATCH', endpoint, { description: 'old' })).toMatchObject({ status: 200 });
  const more = [...dead, { types: ['a'] }];
  expect(await api('PATCH', endpoint, { subscriptions: more })).toMatchObject({
    status: 200,
    body: { subscriptions: more },
  });
});
