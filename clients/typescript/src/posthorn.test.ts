import { inspect } from 'node:util';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { NewEvent } from './api.ts';
import { type Answering, fakeServer, json, problem } from './fixtures/fake-server.ts';
import { Posthorn } from './posthorn.ts';

const KEY = 'phk_very-secret';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function startClient(answering: Answering, url = 'http://posthorn.test/') {
  const server = fakeServer(answering);
  return { client: new Posthorn({ url, key: KEY, fetch: server.fetch }), requests: server.requests };
}

async function settled<T>(promise: Promise<T>) {
  const outcome = promise.then(
    (value) => ({ value }),
    (error) => ({ error }),
  );
  await vi.runAllTimersAsync();
  return outcome;
}

test('a call is made of its path, its query and its body', async () => {
  const { client, requests } = startClient(() => json(200, { data: [], next: null }), 'https://posthorn.test/below/');
  const params = { tenant_id: 'a/b c' };
  await client.request('GET /v1/tenants/{tenant_id}/deliveries', { params, query: { limit: 5, type: undefined } });
  await client.request('POST /v1/tenants', { body: { id: 'acme' } });
  expect(requests).toMatchObject([
    { method: 'GET', url: 'https://posthorn.test/below/v1/tenants/a%2Fb%20c/deliveries?limit=5', body: undefined },
    { method: 'POST', url: 'https://posthorn.test/below/v1/tenants', body: '{"id":"acme"}' },
  ]);
  expect(requests.map(({ headers }) => headers.get('authorization'))).toEqual([`Bearer ${KEY}`, `Bearer ${KEY}`]);
  expect(requests.map(({ headers }) => headers.get('content-type'))).toEqual([null, 'application/json']);
});

test('a parameter cannot lead to another call', async () => {
  const { client, requests } = startClient(() => json(200, {}));
  for (const tenant_id of ['..', '.', '', null, undefined, 5]) {
    const params = { tenant_id: tenant_id as string };
    const call = client.request('DELETE /v1/tenants/{tenant_id}', { params });
    await expect(call).rejects.toThrow(TypeError);
  }
  expect(requests).toEqual([]);
});

test('a refusal is an error with everything that the problem document says', async () => {
  const errors = [{ path: 'name', message: 'expected a string' }];
  const { client } = startClient(() => problem(422, 'invalid', { errors }));
  await expect(client.request('POST /v1/tenants', { body: {} })).rejects.toMatchObject({
    name: 'PosthornError',
    message: '422 invalid: Detail.',
    status: 422,
    code: 'invalid',
    title: 'Title',
    detail: 'Detail.',
    errors,
    requestId: 'req_1',
    retryAfterMs: null,
  });
});

test('a refusal without a problem document is one too, and a redirect is not followed', async () => {
  const { client, requests } = startClient((_, i) =>
    i === 0 ? new Response('<html>', { status: 404 }) : new Response('', { status: 307, headers: { location: '/' } }),
  );
  await expect(client.request('GET /v1/tenants')).rejects.toMatchObject({ status: 404, code: null });
  await expect(client.request('GET /v1/tenants')).rejects.toMatchObject({ status: 307, code: null });
  expect(requests).toHaveLength(2);
});

const cut = () => {
  throw new TypeError('fetch failed', { cause: { code: 'ECONNRESET' } });
};
const refused = () => {
  throw new TypeError('fetch failed', { cause: { code: 'ECONNREFUSED' } });
};

test('a POST is made again only when it cannot have been acted on', async () => {
  const unanswered = startClient(cut);
  expect(await settled(unanswered.client.request('POST /v1/tenants'))).toMatchObject({
    error: { name: 'NoAnswerError', mayHaveArrived: true },
  });
  expect(unanswered.requests).toHaveLength(1);
  const away = startClient((_, i) => (i === 0 ? refused() : json(201, { id: 'tenant_1' })));
  expect(await settled(away.client.request('POST /v1/tenants'))).toMatchObject({ value: { id: 'tenant_1' } });
});

test('a GET, a PUT and a DELETE are made again', async () => {
  const { client, requests } = startClient((_, i) => (i % 2 === 0 ? cut() : new Response(null, { status: 204 })));
  expect(await settled(client.request('DELETE /v1/sources/{source_id}', { params: { source_id: 's' } }))).toEqual({
    value: undefined,
  });
  await settled(client.request('GET /v1/tenants'));
  expect(requests.map(({ method }) => method)).toEqual(['DELETE', 'DELETE', 'GET', 'GET']);
});

test('an abort rejects with its reason', async () => {
  const { client } = startClient(() => new Promise<Response>(() => {}));
  const controller = new AbortController();
  const call = client.request('GET /v1/tenants', { signal: controller.signal });
  controller.abort(new Error('enough'));
  await expect(call).rejects.toThrow('enough');
  await expect(client.request('GET /v1/tenants', { signal: controller.signal })).rejects.toThrow('enough');
  expect(vi.getTimerCount()).toBe(0);
});

test('a list is read page by page, no further than it is wanted', async () => {
  const { client, requests } = startClient(({ url }) => {
    const from = Number(new URL(url).searchParams.get('cursor') ?? 0);
    return json(200, { data: [{ id: `t${from}` }, { id: `t${from + 1}` }], next: from < 4 ? String(from + 2) : null });
  });
  const ids: string[] = [];
  for await (const { id } of client.list('GET /v1/tenants', { query: { limit: 2 } })) ids.push(id);
  expect(ids).toEqual(['t0', 't1', 't2', 't3', 't4', 't5']);
  for await (const { id } of client.list('GET /v1/tenants')) if (id === 't1') break;
  expect(requests).toHaveLength(4);
  expect(requests.map(({ url }) => new URL(url).search)).toEqual([
    '?limit=2',
    '?limit=2&cursor=2',
    '?limit=2&cursor=4',
    '',
  ]);
});

test('the key shows in no message, URL or print', async () => {
  const { client, requests } = startClient(() => problem(401, 'unauthorized'));
  const error = await client.request('GET /v1/tenants').catch((reason: unknown) => reason);
  const shown = [inspect(client, { showHidden: true, depth: 9 }), JSON.stringify(client), inspect(error, { depth: 9 })];
  expect([...shown, requests[0]?.url].join()).not.toContain(KEY);
  for (const key of [`${KEY}\n`, `${KEY}é`, '']) {
    const make = () => new Posthorn({ url: 'http://posthorn.test', key });
    expect(make).toThrow(/^The key is missing or malformed\.$/);
  }
});

test.each([
  'ftp://posthorn.test',
  'http://posthorn.test?a=1',
  'http://posthorn.test/#a',
  'http://user:password@posthorn.test',
  'posthorn',
])('%s is no address', (url) => {
  expect(() => new Posthorn({ url, key: KEY })).toThrow(TypeError);
});

test.each(['http://posthorn.test/v1', 'http://posthorn.test/v1/'])('%s is the address without /v1', async (url) => {
  const { client, requests } = startClient(() => json(200, {}), url);
  await client.request('GET /v1/tenants');
  expect(requests[0]?.url).toBe('http://posthorn.test/v1/tenants');
});

test('a list that stands still ends', async () => {
  const { client, requests } = startClient(() => json(200, { data: [], next: 'same' }));
  await expect(client.list('GET /v1/tenants').next()).rejects.toThrow('stands still');
  expect(requests).toHaveLength(2);
});

test.each([
  ['NaN', { id: 'acme', limits: { events_per_second: Number.NaN } }],
  ['a function', { id: () => 'acme' }],
  ['a Map', { id: 'acme', limits: new Map() }],
  ['nothing in JSON', { toJSON: () => undefined }],
])('%s in a body is a TypeError before anything is sent', async (_, body) => {
  const { client, requests } = startClient(() => json(201, {}));
  await expect(client.request('POST /v1/tenants', { body: body as object })).rejects.toThrow(/^The body is no/);
  expect(requests).toEqual([]);
});

test('an event goes in a body as `send` takes it, a list that may not be changed too', async () => {
  const { client, requests } = startClient(() => json(202, {}));
  const events: readonly NewEvent[] = [{ type: 'a', data: {} }];
  await client.request('POST /v1/events', { body: events });
  expect(requests[0]?.body).toBe('[{"type":"a","data":{}}]');
});
