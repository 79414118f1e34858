import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { allDelivered } from '../support/all-delivered.ts';
import { call } from '../support/api.ts';
import type { ReceivedRequest } from '../support/receiver.ts';
import { type ReceiverPaths, statuses } from '../support/receiver-paths.ts';
import { createEndpoint, openApiAndWorker, type Stage } from '../support/stage.ts';

let stage: Stage;
let receiver: ReceiverPaths;
let api: string;

beforeAll(async () => {
  ({ stage, receiver, api } = await openApiAndWorker());
});

afterAll(() => stage.close());

const register = (tenant: string, version: string, body: object) =>
  call(api, 'PUT', `/v1/tenants/${tenant}/event-types/payment.captured/versions/${version}`, body);

/** `data` as JSON text: numbers come as they are written. */
const send = (tenant: string, version: string, data: string) =>
  call(
    api,
    'POST',
    '/v1/events',
    `{"tenant_id":"${tenant}","type":"payment.captured","version":"${version}","timestamp":"2024-03-14T10:30:00Z","data":${data},"metadata":{"n":1.0}}`,
  );

const v10 = {
  type: 'object',
  required: ['id', 'customer_id', 'amount'],
  properties: { id: { type: 'string' }, customer_id: { type: 'string' }, amount: { type: 'number' } },
};
const v11 = { ...v10, properties: { ...v10.properties, note: { type: 'string' } } };
const v20 = {
  type: 'object',
  required: ['id', 'customer', 'amount', 'currency'],
  properties: {
    id: { type: 'string' },
    customer: { type: 'object', required: ['id'], properties: { id: { type: 'string' } } },
    amount: { type: 'number' },
    currency: { type: 'string', pattern: '^[A-Z]{3}$' },
  },
  additionalProperties: false,
};
const casts = {
  from: '1.x',
  renames: { customer_id: 'customer.id' },
  defaults: { currency: 'EUR' },
  removes: ['note'],
};

/** 1.0, 1.1 and 2.0 with casts, all enforced. */
async function evolve(tenant: string): Promise<void> {
  await call(api, 'POST', '/v1/tenants', { id: tenant });
  const bodies: [string, object][] = [
    ['1.0', { schema: v10, validation: 'enforce', example: { id: 'p', customer_id: 'c', amount: 1 } }],
    ['1.1', { schema: v11, example: { id: 'p', customer_id: 'c', amount: 1, note: 'n' } }],
    ['2.0', { schema: v20, example: { id: 'p', customer: { id: 'c' }, amount: 1, currency: 'USD' }, casts }],
  ];
  for (const [version, body] of bodies) {
    const answer = await register(tenant, version, body);
    expect({ version, status: answer.status, errors: answer.body.errors }).toEqual({ version, status: 201 });
  }
}

const bodyOf = (requests: readonly ReceivedRequest[], index: number) => requests[index]!.body.toString();

const head = (requests: readonly ReceivedRequest[], index: number, version: string, tenant: string) =>
  `{"id":"${requests[index]!.headers['webhook-id']}","type":"payment.captured","version":"${version}",` +
  `"timestamp":"2024-03-14T10:30:00Z","tenant_id":"${tenant}","data":`;

test('a type evolves from 1.0 over 1.1 to 2.0, a breaking 1.2 is refused, and a pinned receiver goes on receiving 1.x', async () => {
  const tenant = 'evolving';
  await evolve(tenant);
  const pinned = await createEndpoint(
    api,
    { url: receiver.url('/pinned'), versions: { 'payment.*': '1' }, order: 'endpoint' },
    tenant,
  );
  const newest = { url: receiver.url('/newest'), versions: { 'payment.*': '2' }, order: 'endpoint' };
  await createEndpoint(api, newest, tenant);
  await createEndpoint(api, { url: receiver.url('/any'), order: 'endpoint' }, tenant);

  const breaking = await register(tenant, '1.2', { schema: { ...v11, required: [...v11.required, 'note'] } });
  expect(breaking).toMatchObject({
    status: 409,
    body: { code: 'incompatible_schema', errors: [{ path: 'schema.required.note' }] },
  });
  const diff = await call(api, 'GET', `/v1/tenants/${tenant}/event-types/payment.captured/diff?from=1.1&to=2.0`);
  expect(diff.body).toMatchObject({ compatible: false, from: '1.1', to: '2.0' });
  const paths = (name: string) => diff.body[name].map(({ path }: { path: string }) => path).sort();
  expect(paths('removed')).toEqual(['data.customer_id', 'data.note']);
  expect(paths('added')).toEqual(['data.*', 'data.currency', 'data.customer', 'data.customer.id']);

  const sent: [string, string][] = [
    ['1.0', '{"id":"p1","customer_id":"c1","amount":1.10}'],
    ['1.1', '{"id":"p2","note":"hello","customer_id":"c1","amount":9007199254740993}'],
    ['2.0', '{"id":"p3","customer":{"id":"c1"},"amount":-0,"currency":"USD"}'],
  ];
  for (const [version, data] of sent) expect((await send(tenant, version, data)).status).toBe(202);
  expect(await send(tenant, '2.0', sent[0]![1])).toMatchObject({
    status: 422,
    body: { code: 'invalid_event', errors: expect.arrayContaining([{ path: 'data.customer', message: 'required' }]) },
  });
  expect((await send(tenant, '1.2', sent[0]![1])).status).toBe(422);

  const [old, next, any] = await Promise.all(['/pinned', '/newest', '/any'].map((path) => receiver.received(path, 3)));
  const end = ',"metadata":{"n":1.0}}';
  for (const [i, [version, data]] of sent.entries()) {
    expect(bodyOf(any!, i)).toBe(`${head(any!, i, version, tenant)}${data}${end}`);
    if (i < 2) expect(bodyOf(old!, i)).toBe(`${head(old!, i, version, tenant)}${data}${end}`);
  }
  expect(bodyOf(old!, 2)).toBe(`${head(old!, 2, '1.1', tenant)}{"id":"p3","amount":-0,"customer_id":"c1"}${end}`);
  const asTwo = [
    '{"id":"p1","amount":1.10,"customer":{"id":"c1"},"currency":"EUR"}',
    '{"id":"p2","amount":9007199254740993,"customer":{"id":"c1"},"currency":"EUR"}',
    sent[2]![1],
  ];
  for (const [i, data] of asTwo.entries())
    expect(bodyOf(next!, i)).toBe(`${head(next!, i, '2.0', tenant)}${data}${end}`);
  const { body, headers } = old![2]!;
  expect(new Webhook(pinned.secret).verify(body.toString(), headers as Record<string, string>)).toMatchObject({
    version: '1.1',
  });
});

test('retries and replays of a cast delivery carry the same bytes, whatever was registered meanwhile', async () => {
  const tenant = 'same-bytes';
  await evolve(tenant);
  const settings = { url: receiver.url('/retried'), versions: { '**': '1' }, retry_schedule: [0, 0, 0] };
  const { id, secret } = await createEndpoint(api, settings, tenant);
  receiver.behave('/retried', statuses(500, 500, 204));
  const { body } = await send(tenant, '2.0', '{"id":"p","customer":{"id":"c"},"amount":1e2,"currency":"USD"}');
  await receiver.received('/retried', 3);
  await allDelivered(api, tenant, body.id);
  expect((await register(tenant, '1.2', { schema: v11 })).status).toBe(201);
  expect((await register(tenant, '2.1', { schema: v20 })).status).toBe(201);
  const replay = { endpoint_id: id, event_ids: [body.id] };
  expect((await call(api, 'POST', `/v1/tenants/${tenant}/replays`, replay)).status).toBe(202);
  const requests = await receiver.received('/retried', 4);
  expect(JSON.parse(bodyOf(requests, 0))).toMatchObject({ version: '1.1', data: { customer_id: 'c', amount: 100 } });
  expect(new Set(requests.map((request) => request.body.toString())).size).toBe(1);
  for (const { body: bytes, headers } of requests) {
    expect(() => new Webhook(secret).verify(bytes.toString(), headers as Record<string, string>)).not.toThrow();
  }
});

test('an event accepted after its version was registered is cast, by a worker that knew the endpoint before', async () => {
  const tenant = 'fresh';
  await call(api, 'POST', '/v1/tenants', { id: tenant });
  await createEndpoint(api, { url: receiver.url('/fresh'), versions: { '**': '1' }, order: 'endpoint' }, tenant);
  await register(tenant, '1.0', { schema: true });
  await send(tenant, '1.0', '{"a":0}');
  await receiver.received('/fresh', 1);
  for (let major = 2; major <= 6; major++) {
    const step = { from: `${major - 1}.0`, renames: { [`a${major - 1}`]: `a${major}` } };
    const first = { from: '1.0', renames: { a: 'a2' } };
    const body = { schema: true, casts: major === 2 ? first : step };
    expect((await register(tenant, `${major}.0`, body)).status).toBe(201);
    await send(tenant, `${major}.0`, `{"a${major}":${major}}`);
    const requests = await receiver.received('/fresh', major);
    expect(bodyOf(requests, major - 1)).toContain(
      `"version":"1.0","timestamp":"2024-03-14T10:30:00Z","tenant_id":"fresh","data":{"a":${major}}`,
    );
  }
});
