import { CloudEvent, HTTP } from 'cloudevents';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { specBatch, specExamples } from '../../src/cloudevents/fixtures/spec-examples.ts';
import { parseEventId } from '../../src/domain/ids.ts';
import { call } from '../support/api.ts';
import { startTestService, type TestService } from '../support/test-service.ts';
import { OPERATOR_KEY } from '../support/test-settings.ts';

let service: TestService;
let acmeKey: string;

beforeAll(async () => {
  service = await startTestService();
  for (const id of ['acme', 'other']) await call(service.baseUrl, 'POST', '/v1/tenants', { id });
  const { body } = await call(service.baseUrl, 'POST', '/v1/tenants/acme/keys', {
    name: 'producer',
    scopes: ['events:write', 'events:read'],
  });
  acmeKey = body.key;
});

afterAll(() => service.stop());

const STRUCTURED = { 'content-type': 'application/cloudevents+json' };
const JSON_TYPE = { 'content-type': 'application/json' };
const BATCH = { 'content-type': 'application/cloudevents-batch+json; charset=UTF-8' };
const least = { specversion: '1.0', source: '/s', type: 'ce.test' };

interface Posted {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever the API answers.
  readonly body: any;
}

/** Bytes as they are: what `call` sends passes through more hands. */
async function post(
  body: string | Uint8Array | object,
  headers: Record<string, string>,
  key = acmeKey,
): Promise<Posted> {
  const isRaw = typeof body === 'string' || body instanceof Uint8Array;
  const response = await fetch(`${service.baseUrl}/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, ...headers },
    body: isRaw ? Buffer.from(body as string) : JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

async function stored(id: string) {
  const { body } = await call(service.baseUrl, 'GET', `/v1/tenants/acme/events/${id}`);
  return body;
}

const pathsOf = ({ body }: Posted) => body.errors?.map(({ path }: { path: string }) => path);

test.each(specExamples)('the example of the specification with $title is taken in both modes', async (example) => {
  const structured = await post(
    example.structured.replace('"1.0"', '"1.0", "mode": "structured"').replace(/"id"\s*: "/, '$&s'),
    {
      'content-type': 'application/cloudevents+json; charset=utf-8',
    },
  );
  const binary = await post(example.body, {
    ...example.headers,
    'ce-mode': 'binary',
    'ce-id': `b${example.headers['ce-id']}`,
  });
  expect([structured, binary]).toMatchObject([
    { status: 202, body: { status: 'accepted' } },
    { status: 202, body: { status: 'accepted' } },
  ]);
  const [first, second] = [await stored(structured.body.id), await stored(binary.body.id)];
  expect(first).toMatchObject({
    type: 'com.example.someevent',
    timestamp: '2018-04-05T17:31:00Z',
    tenant_id: 'acme',
    metadata: { source: '/mycontext', comexampleextension1: 'value', comexampleothervalue: 5 },
  });
  expect(second).toMatchObject({ metadata: { comexampleothervalue: '5' } });
  expect(second.data).toEqual(first.data);
});

test('the batch of the specification is taken whole, and so is an empty one', async () => {
  expect(await post(specBatch, BATCH)).toMatchObject({ status: 202, body: { accepted: 2, duplicates: 0 } });
  expect(await post('[]', BATCH)).toEqual({ status: 202, body: { accepted: 0, duplicates: 0, items: [] } });
});

test('an event is stored with its fields, its extensions and its numbers to the letter, under an id of ours', async () => {
  const { body } = await post(
    '{"data": {"n": 9007199254740993}, "zeta": true, "alpha": 1, "correlationid": "c-1", "typeversion": "2.1", "subject": "x/ü", "specversion":"1.0", "id":"a.b/c", "source":"https://example.com/s?a=1", "type":"ce.stored", "time":"2024-03-14T10:30:00.5+02:00", "dataschema":"urn:schema:1", "datacontenttype":"application/json"}',
    STRUCTURED,
  );
  expect(body.id).toMatch(/^evt_[0-9a-z]{26}$/);
  const { rows } = await service.context.apiPool.query(
    "SELECT convert_from(body, 'UTF8') AS body FROM events WHERE type = 'ce.stored'",
  );
  expect(rows).toEqual([
    {
      body:
        `{"id":"${body.id}","type":"ce.stored","version":"2.1","timestamp":"2024-03-14T10:30:00.5+02:00","tenant_id":"acme",` +
        '"correlation_id":"c-1","subject":"x/ü","data":{"n":9007199254740993},"metadata":{"source":"https://example.com/s?a=1",' +
        '"alpha":1,"correlationid":"c-1","typeversion":"2.1","zeta":true,' +
        '"cloud_event":{"id":"a.b/c","datacontenttype":"application/json","dataschema":"urn:schema:1"}}}',
    },
  ]);
});

test('an event without datacontenttype is the same as one of application/json, in whatever mode either comes first', async () => {
  const json = 'application/json';
  const structured = (id: string, more = {}) => post({ ...least, id, data: { a: 1 }, ...more }, STRUCTURED);
  const binary = (id: string, type: string) =>
    post('{"a":1}', {
      ...{ 'ce-specversion': '1.0', 'ce-id': id, 'ce-source': '/s', 'ce-type': 'ce.test' },
      'content-type': type,
    });
  for (const [id, first] of [
    ['implied-1', () => structured('implied-1')],
    ['implied-2', () => structured('implied-2', { datacontenttype: json })],
    ['implied-3', () => binary('implied-3', json)],
  ] as const) {
    const { body } = await first();
    expect(body.status).toBe('accepted');
    for (const again of [structured(id), structured(id, { datacontenttype: json }), binary(id, json)])
      expect(await again).toMatchObject({ status: 202, body: { id: body.id, status: 'duplicate' } });
    expect(await structured(id, { datacontenttype: 'text/json' })).toMatchObject({ status: 409 });
  }
  expect((await stored((await structured('implied-1')).body.id)).metadata.cloud_event).not.toHaveProperty(
    'datacontenttype',
  );
});

test.each([
  {
    what: 'a CloudEvent without datacontenttype',
    hash: 'c6573638-8bd1-6b11-f5d8-8b3b97daee03',
    send: (more = {}) => post({ ...least, id: 'before', data: { a: 1 }, ...more }, STRUCTURED),
  },
  {
    what: 'an event with a version of 1.0',
    hash: 'ca0db7ac-30d9-83de-9dc0-b7f30574c44d',
    send: (more = {}) =>
      post({ type: 'a', data: { a: 1 }, version: '1.0', ...more }, { ...JSON_TYPE, 'idempotency-key': 'before' }),
  },
])(
  '$what that an earlier version stored is known again, though it was hashed in another way',
  async ({ hash, send }) => {
    const { body } = await send();
    expect(body.status).toBe('accepted');
    const { rowCount } = await service.context.apiPool.query(
      'UPDATE idempotency_keys SET body_hash = $1 WHERE event_id = $2 AND body_hash <> $1',
      [hash, parseEventId(body.id)],
    );
    expect(rowCount).toBe(1);
    expect(await send()).toMatchObject({ status: 202, body: { id: body.id, status: 'duplicate' } });
    expect(await send({ data: { a: 2 } })).toMatchObject({ status: 409 });
  },
);

test('source and id together are the event: the same pair is a duplicate, with other data a conflict, in every mode', async () => {
  const event = { ...least, id: 'once', data: { a: 1 } };
  const first = await post(event, STRUCTURED);
  expect(first.body.status).toBe('accepted');
  expect(await post(event, STRUCTURED)).toMatchObject({
    status: 202,
    body: { id: first.body.id, status: 'duplicate' },
  });
  const headers = { 'ce-specversion': '1.0', 'ce-id': 'once', 'ce-source': '/s', 'ce-type': 'ce.test' };
  expect(await post('{ "a": 1 }', headers)).toMatchObject({ body: { id: first.body.id, status: 'duplicate' } });
  expect(await post([event, { ...event, source: '/t' }], BATCH)).toMatchObject({
    body: { accepted: 1, duplicates: 1 },
  });
  expect(await post({ ...event, data: { a: 2 } }, STRUCTURED)).toMatchObject({ status: 409 });
  const other = { ...event, tenantid: 'other' };
  expect(await post(other, STRUCTURED, OPERATOR_KEY)).toMatchObject({ body: { status: 'accepted' } });
});

test('an Idempotency-Key counts beside source and id', async () => {
  const key = { ...STRUCTURED, 'idempotency-key': 'ce-key' };
  const first = await post({ ...least, id: 'k-1' }, key);
  expect(first).toMatchObject({ status: 202, body: { status: 'accepted' } });
  expect(await post({ ...least, id: 'k-1' }, key)).toMatchObject({ body: { id: first.body.id, status: 'duplicate' } });
  expect(await post({ ...least, id: 'k-2' }, key)).toMatchObject({ status: 409 });
  expect(await post([{ ...least, id: 'k-3' }], { ...BATCH, 'idempotency-key': 'x' })).toMatchObject({ status: 422 });
});

test('with an operator key the declared extension names the tenant; with a tenant key it says nothing', async () => {
  expect(pathsOf(await post({ ...least, id: 't-1' }, STRUCTURED, OPERATOR_KEY))).toEqual(['tenantid']);
  expect(pathsOf(await post({ ...least, id: 't-1', tenantid: 5 }, STRUCTURED, OPERATOR_KEY))).toEqual(['tenantid']);
  expect(await post({ ...least, id: 't-1', tenantid: 'nobody' }, STRUCTURED, OPERATOR_KEY)).toMatchObject({
    status: 404,
  });
  expect(await post({ ...least, id: 't-1', tenantid: 'acme' }, STRUCTURED, OPERATOR_KEY)).toMatchObject({
    status: 202,
  });
  const headers = { 'ce-specversion': '1.0', 'ce-id': 't-2', 'ce-source': '/s', 'ce-type': 'ce.test' };
  expect(pathsOf(await post('', headers, OPERATOR_KEY))).toEqual(['ce-tenantid']);
  const mine = await post({ ...least, id: 't-3', tenantid: 'other' }, STRUCTURED);
  expect(await stored(mine.body.id)).toMatchObject({ tenant_id: 'acme', metadata: { tenantid: 'other' } });
});

test('faults are at the attribute, in a header, or at the index of a batch, and nothing is stored', async () => {
  const bad = { ...least, id: 'f-1', type: 'not a type', time: 'yesterday', subject: 'x'.repeat(257) };
  expect(pathsOf(await post(bad, STRUCTURED))).toEqual(['type', 'time', 'subject']);
  expect(pathsOf(await post({ ...least, id: 'f-1', type: 'system.mine' }, STRUCTURED))).toEqual(['type']);
  const headers = { 'ce-specversion': '0.3', 'ce-id': 'f-2', 'ce-source': 'a b', 'ce-type': 'x', 'ce-Bad-Name': 'x' };
  expect(pathsOf(await post('no json', { ...headers, 'content-type': 'application/json' }))).toEqual([
    'ce-specversion',
    'ce-source',
    'ce-bad-name',
    'data',
  ]);
  expect(pathsOf(await post('', { 'ce-id': '1' }))).toEqual(['ce-specversion', 'ce-source', 'ce-type']);
  const good = { ...least, type: 'ce.nothing', id: 'f-3' };
  const batch = await post([good, 5, { ...good, id: 'f-4', source: '' }], BATCH);
  expect([batch.status, pathsOf(batch)]).toEqual([422, ['1', '2.source']]);
  const { rows } = await service.context.apiPool.query("SELECT 1 FROM events WHERE type = 'ce.nothing'");
  expect(rows).toEqual([]);
});

test.each([
  ['not JSON', '{', STRUCTURED, 400],
  ['an empty body', '', STRUCTURED, 400],
  ['bytes that are not UTF-8', Uint8Array.of(0x22, 0xff, 0x22), STRUCTURED, 400],
  ['one event as a batch', '{}', BATCH, 422],
  ['a batch as one event', '[]', STRUCTURED, 422],
  ['too deep', `{"data":${'['.repeat(100)}${']'.repeat(100)}}`, STRUCTURED, 422],
  ['another format', '<event/>', { 'content-type': 'application/cloudevents+xml' }, 415],
  ['another charset', '{}', { 'content-type': 'application/cloudevents+json; charset=utf-16' }, 415],
  ['a batch past the bound', JSON.stringify(new Array(1001).fill(1)), BATCH, 413],
  ['an event past the bound', JSON.stringify({ ...least, id: '1', data: 'x'.repeat(300_000) }), STRUCTURED, 413],
])('%s is refused with its status', async (_title, body, headers, status) => {
  expect((await post(body, headers as Record<string, string>)).status).toBe(status);
});

test('the schema of a type is asked of CloudEvents as of any event', async () => {
  const schema = { type: 'object', required: ['amount'] };
  const path = '/v1/tenants/acme/event-types/ce.checked';
  await call(service.baseUrl, 'PUT', `${path}/versions/1.0`, { schema });
  await call(service.baseUrl, 'PATCH', path, { validation: 'enforce' });
  const checked = { ...least, type: 'ce.checked' };
  expect(pathsOf(await post({ ...checked, id: 's-1', data: {} }, STRUCTURED))).toEqual([
    expect.stringMatching(/^data/),
  ]);
  expect(await post({ ...checked, id: 's-1', data: { amount: 1 } }, STRUCTURED)).toMatchObject({ status: 202 });
});

test('what the cloudevents package sends is taken in both of its modes', async () => {
  const event = new CloudEvent({
    id: 'sdk-1',
    source: '/sdk',
    type: 'ce.sdk',
    subject: 'x',
    data: { a: 1 },
    myext: 'y',
  });
  const structured = HTTP.structured(event);
  const sent = await post(structured.body as string, structured.headers as Record<string, string>);
  expect(sent).toMatchObject({ status: 202 });
  expect(await stored(sent.body.id)).toMatchObject({
    type: 'ce.sdk',
    subject: 'x',
    data: { a: 1 },
    metadata: { myext: 'y' },
  });
  const binary = HTTP.binary(event.cloneWith({ id: 'sdk-2' }));
  expect(await post(binary.body as string, binary.headers as Record<string, string>)).toMatchObject({ status: 202 });
});
