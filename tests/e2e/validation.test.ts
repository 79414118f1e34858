import { afterAll, beforeAll, expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import type { Behaviour } from '../support/receiver.ts';
import { type ReceiverPaths, receiverPaths } from '../support/receiver-paths.ts';
import { createEndpoint, openStage, type Stage, stageForTest, TENANT } from '../support/stage.ts';

const ORIGIN = 'events.example.com';

let stage: Stage;
let receiver: ReceiverPaths;
let api: string;

beforeAll(async () => {
  stage = await openStage({ env: { WEBHOOK_ORIGIN: ORIGIN } });
  receiver = receiverPaths(stage.receiver);
  const [{ baseUrl }] = await Promise.all([stage.start('api'), stage.start('worker'), stage.start('worker')]);
  api = baseUrl;
});

afterAll(() => stage.close());

/** Answers OPTIONS with these headers, and everything else with 204. */
const answering =
  (headers: Readonly<Record<string, string>>): Behaviour =>
  ({ method }, response) =>
    void response.writeHead(method === 'OPTIONS' ? 200 : 204, method === 'OPTIONS' ? headers : {}).end();

const allowing = (origin: string, rate: string) =>
  answering({ allow: 'POST', 'WebHook-Allowed-Origin': origin, 'WebHook-Allowed-Rate': rate });

async function endpointOf(tenant: string, settings: object = {}) {
  const given = { url: receiver.url(`/${tenant}`), validation: 'cloudevents', ...settings };
  const { id } = await createEndpoint(api, given, tenant);
  const path = `/v1/tenants/${tenant}/endpoints/${id}`;
  const status = async () => (await call(api, 'GET', path)).body.validation_status;
  return { path, is: (state: string) => eventually(status, (now) => now.state === state) };
}

const post = (tenant: string, data: unknown = {}) =>
  call(api, 'POST', '/v1/events', { type: 'a.b', tenant_id: tenant, data });

const methodsAt = (path: string) => receiver.at(path).map(({ method }) => method);

test('nothing is delivered before the receiver has agreed, and then all that waited, under the name that it agreed to', async () => {
  receiver.behave('/agreed', allowing(ORIGIN, '*'));
  const { is } = await endpointOf('agreed', { format: 'cloudevents', rate_limit: { per_second: 100 } });
  await post('agreed');
  await post('agreed');
  expect(await is('validated')).toMatchObject({ tries: 1, allowed_per_minute: null, detail: null });
  const requests = await receiver.received('/agreed', 3);
  expect(methodsAt('/agreed')).toEqual(['OPTIONS', 'POST', 'POST']);
  expect(requests[0]!.headers).toMatchObject({ 'webhook-request-origin': ORIGIN, 'webhook-request-rate': '6000' });
  expect(requests[0]!.body).toHaveLength(0);
  for (const { headers } of requests.slice(1)) expect(headers).toMatchObject({ 'webhook-request-origin': ORIGIN });
});

test.each<[string, Behaviour]>([
  ['another-origin', allowing('other.example.com', '*')],
  ['no-consent', answering({ allow: 'POST, OPTIONS' })],
  ['bad-rate', allowing('*', '0')],
])('a receiver that does not agree gets nothing until it is asked again and does: %s', async (tenant, behaviour) => {
  receiver.behave(`/${tenant}`, behaviour);
  const { path, is } = await endpointOf(tenant);
  await post(tenant);
  expect((await is('refused')).detail).toMatch(/WebHook-Allowed-/);
  await eventually(
    () => stage.query('SELECT parked FROM mailbox m JOIN tenants t ON t.num = m.tenant_num WHERE t.id = $1', [tenant]),
    (rows) => rows.length === 1 && rows[0].parked,
  );
  expect(methodsAt(`/${tenant}`)).toEqual(['OPTIONS']);
  receiver.behave(`/${tenant}`, allowing('*', '*'));
  expect((await call(api, 'POST', `${path}/validate`)).status).toBe(202);
  await receiver.received(`/${tenant}`, 3);
  expect(methodsAt(`/${tenant}`)).toEqual(['OPTIONS', 'OPTIONS', 'POST']);
});

test('the rate that a receiver allows is the rate of its endpoint', async () => {
  receiver.behave('/slow', allowing(ORIGIN, '1'));
  const { is } = await endpointOf('slow');
  expect(await is('validated')).toMatchObject({ allowed_per_minute: 1 });
  const event = { type: 'a.b', tenant_id: 'slow', data: {} };
  await call(api, 'POST', '/v1/events', Array(5).fill(event));
  await eventually(
    () => stage.query("SELECT 1 FROM attempts a JOIN tenants t ON t.num = a.tenant_num WHERE t.id = 'slow'"),
    (rows) => rows.length === 1,
  );
  // Without a limit all five would have been sent at once.
  expect(methodsAt('/slow')).toEqual(['OPTIONS', 'POST']);
});

test('a receiver that cannot be reached is asked until it can be', async () => {
  const port = await freePort();
  const { path, is } = await endpointOf('away', { url: `http://127.0.0.1:${port}/away` });
  await post('away');
  const status = async () => (await call(api, 'GET', path)).body.validation_status;
  expect(await eventually(status, ({ detail }) => detail !== null)).toMatchObject({
    state: 'pending',
    detail: expect.stringMatching(/refused/),
  });
  receiver.behave('/away', allowing('*', '*'));
  await call(api, 'PATCH', path, { url: receiver.url('/away') });
  await is('validated');
  await receiver.received('/away', 2);
  expect(methodsAt('/away')).toEqual(['OPTIONS', 'POST']);
});

test('a receiver that answers 503 at first is asked again by itself', async () => {
  receiver.behave('/recovers', (request, response, index) => {
    if (index === 0) response.writeHead(503).end();
    else allowing('*', '*')(request, response, index);
  });
  const { is } = await endpointOf('recovers');
  await post('recovers');
  expect(await is('validated')).toMatchObject({ tries: 2 });
  await receiver.received('/recovers', 3);
  expect(methodsAt('/recovers')).toEqual(['OPTIONS', 'OPTIONS', 'POST']);
});

test('another URL has agreed to nothing: what waits is held until it does', async () => {
  receiver.behave('/first', allowing('*', '*'));
  receiver.behave('/second', answering({}));
  const { path, is } = await endpointOf('moved', { url: receiver.url('/first') });
  await is('validated');
  await call(api, 'PATCH', path, { url: receiver.url('/second') });
  await is('refused');
  await post('moved');
  await eventually(
    () => stage.query("SELECT parked FROM mailbox m JOIN tenants t ON t.num = m.tenant_num WHERE t.id = 'moved'"),
    (rows) => rows.length === 1 && rows[0].parked,
  );
  expect([methodsAt('/first'), methodsAt('/second')]).toEqual([['OPTIONS'], ['OPTIONS']]);
  await call(api, 'PATCH', path, { validation: 'none' });
  await receiver.received('/second', 2);
  expect(methodsAt('/second')).toEqual(['OPTIONS', 'POST']);
  expect(receiver.at('/second')[1]!.headers).not.toHaveProperty('webhook-request-origin');
});

test('the egress guard stands before a handshake as before a delivery', async () => {
  const guarded = await stageForTest();
  const [{ baseUrl }] = await Promise.all([guarded.start('api'), guarded.start('worker', { ALLOWED_NETWORKS: '' })]);
  const url = `${guarded.receiver.url}/guarded`;
  const { id } = await createEndpoint(baseUrl, { url, validation: 'cloudevents' });
  const status = async () =>
    (await call(baseUrl, 'GET', `/v1/tenants/${TENANT}/endpoints/${id}`)).body.validation_status;
  const blocked = await eventually(status, ({ detail }) => detail !== null);
  expect(blocked).toMatchObject({ state: 'pending', detail: expect.stringContaining('127.0.0.1') });
  expect(guarded.receiver.requests).toEqual([]);
});
