import { CloudEvent, HTTP } from 'cloudevents';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { specExamples } from '../../src/cloudevents/fixtures/spec-examples.ts';
import { verifySignature } from '../../src/signing/verify-signature.ts';
import { parseVerifyingKey } from '../../src/signing/verifying-key.ts';
import { allDelivered } from '../support/all-delivered.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import type { ReceivedRequest } from '../support/receiver.ts';
import { type ReceiverPaths, statuses } from '../support/receiver-paths.ts';
import { createEndpoint, openApiAndWorker, type Stage } from '../support/stage.ts';
import { OPERATOR_KEY } from '../support/test-settings.ts';

let stage: Stage;
let receiver: ReceiverPaths;
let api: string;

beforeAll(async () => {
  ({ stage, receiver, api } = await openApiAndWorker());
});

afterAll(() => stage.close());

async function post(body: string | Uint8Array, headers: Readonly<Record<string, string>>): Promise<string> {
  const authorization = `Bearer ${OPERATOR_KEY}`;
  const request = { method: 'POST', headers: { authorization, ...headers }, body: Buffer.from(body as string) };
  const response = await fetch(`${api}/v1/events`, request);
  const answer = (await response.json()) as { id: string };
  if (response.status !== 202) throw new Error(JSON.stringify(answer));
  return answer.id;
}

const postStructured = (event: object, tenantid: string) =>
  post(JSON.stringify({ ...event, tenantid }), { 'content-type': 'application/cloudevents+json' });

/** Two endpoints of a tenant, one for each content mode. */
async function bothModes(tenant: string, settings: object = {}) {
  const place = (format: string) => `/${tenant}/${format}`;
  const create = (format: string) =>
    createEndpoint(api, { url: receiver.url(place(format)), format, ...settings }, tenant);
  const [structured, binary] = [await create('cloudevents'), await create('cloudevents_binary')];
  const received = async (count: number) => ({
    structured: await receiver.received(place('cloudevents'), count),
    binary: await receiver.received(place('cloudevents_binary'), count),
  });
  return { structured, binary, received };
}

/** What the package of the CloudEvents project reads. */
function read({ headers, body }: ReceivedRequest): CloudEvent<unknown> {
  return HTTP.toEvent({ headers: headers as Record<string, string>, body: body.toString() }) as CloudEvent<unknown>;
}

const attributesOf = (event: CloudEvent<unknown>) => {
  const { data: _, data_base64: __, ...attributes } = event.toJSON();
  return attributes;
};

function expectSigned({ headers, body }: ReceivedRequest, secret: string): void {
  expect(verifySignature([parseVerifyingKey(secret)], headers, body)).toMatchObject({ ok: true });
}

test('a CloudEvent is delivered as it came, and the cloudevents package reads the same of both modes', async () => {
  const { structured, binary, received } = await bothModes('same');
  const sent = {
    specversion: '1.0',
    id: 'A.234/ä',
    source: 'https://example.com/orders?a=1#b',
    type: 'com.example.someevent',
    subject: 'order-7',
    time: '2018-04-05T17:31:00.000Z',
    datacontenttype: 'application/json',
    dataschema: 'https://example.com/order.json',
    comexampleextension1: 'value',
    comexampleothervalue: 5,
    comexampleflag: true,
    tenantid: 'same',
    data: { appinfoA: 'abc', appinfoB: 123 },
  };
  const id = await postStructured(sent, 'same');
  const requests = await received(1);
  expect(attributesOf(read(requests.structured[0]!))).toEqual(attributesOf(new CloudEvent(sent)));
  expect(read(requests.structured[0]!).data).toEqual(sent.data);
  // Headers carry text alone, and the package does not decode it.
  expect(attributesOf(read(requests.binary[0]!))).toEqual({
    ...attributesOf(new CloudEvent(sent)),
    id: 'A.234/%C3%A4',
    comexampleothervalue: '5',
    comexampleflag: 'true',
  });
  expect(read(requests.binary[0]!).data).toEqual(sent.data);
  expect(requests.structured[0]!.headers).toMatchObject({
    'content-type': 'application/cloudevents+json; charset=utf-8',
    'webhook-id': id,
    'posthorn-attempt': '1',
  });
  expect(requests.binary[0]!.headers).toMatchObject({ 'content-type': 'application/json', 'webhook-id': id });
  expectSigned(requests.structured[0]!, structured.secret);
  expectSigned(requests.binary[0]!, binary.secret);
  const { headers, body } = requests.structured[0]!;
  expect(() => new Webhook(structured.secret).verify(body, headers as Record<string, string>)).not.toThrow();
});

test.each(specExamples)('the example of the specification with $title goes in and out', async (example) => {
  const tenant = `spec-${example.headers['ce-id']!.slice(0, 4).toLowerCase()}`;
  const { received } = await bothModes(tenant);
  const given = Object.entries(JSON.parse(example.structured)).filter(([, value]) => value !== null);
  await postStructured(JSON.parse(example.structured), tenant);
  const { structured, binary } = await received(1);
  expect(JSON.parse(structured[0]!.body.toString())).toEqual({ ...Object.fromEntries(given), tenantid: tenant });
  expect(binary[0]!.headers).toMatchObject({ ...example.headers, 'ce-tenantid': tenant });
  const isJson = example.headers['content-type'] === 'application/json';
  if (isJson) expect(JSON.parse(binary[0]!.body.toString())).toEqual(JSON.parse(example.body as string));
  else expect(binary[0]!.body).toEqual(Buffer.from(example.body as string));
  expect(() => read(structured[0]!)).not.toThrow();
  expect(read(binary[0]!).id).toBe(example.headers['ce-id']);
});

test('an event of ours is delivered as a CloudEvent, once for all its attempts and replays', async () => {
  const { binary, received } = await bothModes('native', { retry_schedule: [0, 0, 0] });
  receiver.behave('/native/cloudevents', statuses(500, 204));
  const event = {
    tenant_id: 'native',
    id: 'evt_mine',
    type: 'order.paid',
    version: '2.0',
    timestamp: '2024-03-14T10:30:00.000Z',
    data: { price: 1.5 },
    metadata: { source: 'billing', region: 'eu' },
  };
  expect((await call(api, 'POST', '/v1/events', event)).status).toBe(202);
  await receiver.received('/native/cloudevents_binary', 1);
  const retried = await receiver.received('/native/cloudevents', 2);
  expect(retried[1]!.body).toEqual(retried[0]!.body);
  await allDelivered(api, 'native', 'evt_mine');
  const replay = { endpoint_id: binary.id, event_ids: ['evt_mine'] };
  expect((await call(api, 'POST', '/v1/tenants/native/replays', replay)).status).toBe(202);
  await receiver.received('/native/cloudevents_binary', 2);
  const requests = await received(2);
  for (const request of [...requests.structured, ...requests.binary]) {
    expect(read(request)).toMatchObject({
      id: 'evt_mine',
      source: 'billing',
      type: 'order.paid',
      time: '2024-03-14T10:30:00.000Z',
      region: 'eu',
      tenantid: 'native',
      typeversion: '2.0',
      data: { price: 1.5 },
    });
    expect(request.headers['webhook-id']).toBe('evt_mine');
  }
});

test('no data is an empty body, and a test event goes in the format of its endpoint', async () => {
  const { structured, binary, received } = await bothModes('nothing');
  await postStructured({ specversion: '1.0', id: '1', source: '/s', type: 'a.b' }, 'nothing');
  const requests = await received(1);
  expect(requests.binary[0]!.body).toHaveLength(0);
  expectSigned(requests.binary[0]!, binary.secret);
  expect(JSON.parse(requests.structured[0]!.body.toString())).not.toHaveProperty('data');
  for (const { id } of [structured, binary])
    expect((await call(api, 'POST', `/v1/tenants/nothing/endpoints/${id}/test`, {})).status).toBe(202);
  const tests = await received(2);
  for (const request of [tests.structured[1]!, tests.binary[1]!]) expect(read(request).type).toBe('posthorn.test');
});

test('an endpoint that pins a version gets its CloudEvents cast', async () => {
  const { received } = await bothModes('pinned', { versions: { 'order.paid': '1' } });
  const place = '/v1/tenants/pinned/event-types/order.paid/versions';
  const schema = (name: string) => ({ type: 'object', properties: { [name]: { type: 'number' } }, required: [name] });
  await call(api, 'PUT', `${place}/1.0`, { schema: schema('price'), example: { price: 1 } });
  const casts = { from: '1.0', renames: { price: 'amount' } };
  const second = await call(api, 'PUT', `${place}/2.0`, { schema: schema('amount'), example: { amount: 1 }, casts });
  expect(second.body).toMatchObject({ version: '2.0' });
  const event = { specversion: '1.0', id: '1', source: '/s', type: 'order.paid', typeversion: '2.0' };
  await postStructured({ ...event, data: { amount: 3 } }, 'pinned');
  const requests = await received(1);
  for (const request of [requests.structured[0]!, requests.binary[0]!])
    expect(read(request)).toMatchObject({ typeversion: '1.0', data: { price: 3 } });
});

test('an endpoint may change its format: what it gets from then on has it', async () => {
  const { id, url } = await createEndpoint(api, { url: receiver.url('/changed') }, 'changed');
  await call(api, 'POST', '/v1/events', { tenant_id: 'changed', type: 'a.b', data: 1 });
  await receiver.received('/changed', 1);
  const path = `/v1/tenants/changed/endpoints/${id}`;
  expect((await call(api, 'PATCH', path, { format: 'cloudevents_binary' })).body).toMatchObject({
    url,
    format: 'cloudevents_binary',
  });
  await eventually(
    async () => {
      await call(api, 'POST', '/v1/events', { tenant_id: 'changed', type: 'a.b', data: 1 });
      return receiver.at('/changed');
    },
    (requests) => requests.at(-1)?.headers['ce-specversion'] === '1.0',
  );
  expect(receiver.at('/changed')[0]!.headers).not.toHaveProperty('ce-id');
  expect((await call(api, 'PATCH', path, { format: 'xml' })).status).toBe(422);
});
