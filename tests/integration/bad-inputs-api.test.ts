import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { routes } from '../../src/api/routes.ts';
import { compileEgressPolicy } from '../../src/delivery/egress-policy.ts';
import { call } from '../support/api.ts';
import { startTestService, type TestService } from '../support/test-service.ts';
import { OPERATOR_KEY } from '../support/test-settings.ts';

let service: TestService;
/** The API with nothing allowed: the other listener of the service lets deliveries reach loopback. */
let strict: { readonly url: string; close(): Promise<void> };
let endpointId: string;

const tenant = '/v1/tenants/acme';
const endpoints = `${tenant}/endpoints`;
const url = 'https://receiver.example/';

beforeAll(async () => {
  service = await startTestService();
  const server = createServer(createApp({ ...service.context, policy: compileEgressPolicy({}) }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  strict = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
  await api('POST', '/v1/tenants', { id: 'acme' });
  await api('POST', '/v1/tenants', { id: 'other' });
  for (let i = 0; i < 3; i++) endpointId = (await api('POST', endpoints, { url })).body.id;
});

afterAll(async () => {
  await strict.close();
  await service.stop();
});

const api = (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
  call(strict.url, method, path, body, headers);

/** What a bad input must leave as it was. */
async function facts(): Promise<unknown> {
  const { rows } = await service.context.apiPool.query(
    `SELECT (SELECT count(*) FROM endpoints) AS endpoints, (SELECT count(*) FROM api_keys) AS keys, (SELECT count(*) FROM audit_log) AS audit,
            (SELECT sum(version) FROM endpoints) AS versions`,
  );
  return rows[0];
}

/** Sent as it is: clients that normalise `..` or refuse odd bytes would spoil the test. */
async function raw(path: string, headers: Record<string, string> = { authorization: `Bearer ${OPERATOR_KEY}` }) {
  const { hostname, port } = new URL(strict.url);
  const sent = request({ hostname, port, path, headers, agent: false }).end();
  const response = await new Promise<import('node:http').IncomingMessage>((resolve, reject) =>
    sent.on('response', resolve).on('error', reject),
  );
  return {
    status: response.statusCode!,
    type: response.headers['content-type'],
    body: JSON.parse(await text(response)),
  };
}

const paths = (answer: { body: { errors?: { path: string }[] } }) => [
  ...new Set((answer.body.errors ?? []).map((fault) => fault.path)),
];

const badUrls = [
  ...[
    'http://127.0.0.1',
    'http://localhost',
    'http://localhost.',
    'http://foo.localhost',
    'http://2130706433',
    'http://0x7f000001',
    'http://017700000001',
  ],
  ...[
    'http://0',
    'http://0.0.0.0',
    'http://[::]',
    'http://[::1]',
    'http://[::ffff:127.0.0.1]',
    'http://[::ffff:7f00:1]',
    'http://[64:ff9b::7f00:1]',
  ],
  ...[
    'http://[2002:7f00:1::]',
    'http://[fe80::1]',
    'http://[fd00:ec2::254]',
    'http://169.254.169.254/latest/meta-data/',
    'http://metadata.google.internal',
  ],
  ...[
    'http://168.63.129.16',
    'http://10.0.0.1',
    'http://100.64.0.1',
    'http://198.18.0.1',
    'http://192.0.0.192',
    'http://224.0.0.1',
    'http://255.255.255.255',
  ],
  ...[
    'http://①②⑦.⓪.⓪.①',
    'http://%31%32%37.0.0.1',
    'http:127.0.0.1',
    'http:///127.0.0.1',
    'http://example.com@127.0.0.1/',
    'http://example.com\\@127.0.0.1/',
  ],
  ...[
    'http://user:pass@example.com',
    'file:///etc/passwd',
    'gopher://x',
    'javascript:alert(1)',
    'data:,x',
    'unix:/var/run/docker.sock',
    '//example.com',
    '',
  ],
  ...[
    `https://example.com/${'a'.repeat(2048)}`,
    'http://example.com:0',
    'http://example.com:99999',
    'http://example.com:25',
    'http://example.com:6379',
  ],
  ...[
    'http://exam ple.com',
    'http://example.com/a\tb',
    'http://example.com/a\rb',
    'http://example.com/a\nb',
    ' http://example.com',
    `http://${'a'.repeat(64)}.example`,
  ],
  ...[
    'http://example.com/a\u0000b',
    'http://127.1',
    'http://[::127.0.0.1]',
    'https://',
    'example.com',
    'https://example.com/#part',
    null,
    1,
    ['https://example.com/'],
    {},
  ],
];

test.each(badUrls)('the endpoint URL %j is refused when made and when changed, and nothing is stored', async (bad) => {
  const before = await facts();
  for (const answer of [
    await api('POST', endpoints, { url: bad }),
    await api('PATCH', `${endpoints}/${endpointId}`, { url: bad }),
  ]) {
    expect(answer.status).toBe(422);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(paths(answer)).toEqual(['url']);
  }
  expect(await facts()).toEqual(before);
});

const filtered = (filter: unknown) => ({ subscriptions: [{ types: ['a'], filter }] });
const nestedFilter = (depth: number): unknown => (depth === 0 ? ['x'] : { a: nestedFilter(depth - 1) });
const multiplyingFilter = Object.fromEntries(
  Array.from({ length: 30 }, (_, i) => [`f${i}`, { $or: [{ a: ['x'] }, { b: ['y'] }] }]),
);

const badSettings: [string, Record<string, unknown>, string][] = [
  ['a header value with CR LF', { headers: { 'X-A': 'a\r\nB: c' } }, 'headers.X-A'],
  ['a header value with LF', { headers: { 'X-A': 'a\nb' } }, 'headers.X-A'],
  ['a header value with NUL', { headers: { 'X-A': 'a\u0000b' } }, 'headers.X-A'],
  ['an empty header name', { headers: { '': 'a' } }, 'headers'],
  ['Host', { headers: { Host: 'a' } }, 'headers.Host'],
  ['Content-Length', { headers: { 'Content-Length': '1' } }, 'headers.Content-Length'],
  ['Transfer-Encoding', { headers: { 'Transfer-Encoding': 'chunked' } }, 'headers.Transfer-Encoding'],
  ['webhook-signature', { headers: { 'webhook-signature': 'v1,a' } }, 'headers.webhook-signature'],
  ['constructor as a header', { headers: { constructor: 'a' } }, 'headers.constructor'],
  ['__proto__ as a header', { headers: JSON.parse('{"__proto__": "a"}') }, 'headers.__proto__'],
  ['€ in a header value', { headers: { a: '€' } }, 'headers.a'],
  ['an emoji in a header value', { headers: { a: '😀' } }, 'headers.a'],
  ['a number as a header value', { headers: { a: 1 } }, 'headers.a'],
  ['101 headers', { headers: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`h${i}`, 'v'])) }, 'headers'],
  ['headers that are a list', { headers: ['a'] }, 'headers'],
  ['headers that are null', { headers: null }, 'headers'],
  ['a negative delay', { retry_schedule: [0, -1] }, 'retry_schedule.1'],
  ['an empty schedule', { retry_schedule: [] }, 'retry_schedule'],
  ['a schedule of too many', { retry_schedule: Array(21).fill(0) }, 'retry_schedule'],
  ['a huge delay', { retry_schedule: [0, 604_801] }, 'retry_schedule.1'],
  ['a delay of 1e300', { retry_schedule: [0, 1e300] }, 'retry_schedule.1'],
  ['a schedule that descends', { retry_schedule: [0, 60, 5] }, 'retry_schedule.2'],
  ['half a second', { retry_schedule: [0, 0.5] }, 'retry_schedule.1'],
  ['a schedule past retention', { retry_schedule: [0, ...Array(5).fill(604_800)] }, 'retry_schedule'],
  ['a timeout of 0', { timeout_seconds: 0 }, 'timeout_seconds'],
  ['a timeout of -1', { timeout_seconds: -1 }, 'timeout_seconds'],
  ['a timeout of 1e9', { timeout_seconds: 1e9 }, 'timeout_seconds'],
  ['a timeout as text', { timeout_seconds: '5' }, 'timeout_seconds'],
  ['a rate limit of 0', { rate_limit: { per_second: 0, burst: 1 } }, 'rate_limit.per_second'],
  ['a rate limit of -1', { rate_limit: { per_second: -1 } }, 'rate_limit.per_second'],
  ['a rate limit of a billion', { rate_limit: { per_second: 1e9 } }, 'rate_limit.per_second'],
  ['a rate limit without a rate', { rate_limit: { burst: 5 } }, 'rate_limit.per_second'],
  ['a burst that lets nothing through', { rate_limit: { per_second: 5, burst: 0.5 } }, 'rate_limit.burst'],
  ['a rate limit that is a number', { rate_limit: 5 }, 'rate_limit'],
  ['another thing to do after a dead letter', { on_dead_letter: 'forget' }, 'on_dead_letter'],
  ['an order of no kind', { order: 'sideways' }, 'order'],
  ['an empty filter', { subscriptions: [{ types: ['a'], filter: {} }] }, 'subscriptions.0.filter'],
  ['a filter that is a list', filtered([]), 'subscriptions.0.filter'],
  ['a filter that is text', filtered('{}'), 'subscriptions.0.filter'],
  ['a filter with a bare value', filtered({ data: { a: 'x' } }), 'subscriptions.0.filter.data.a'],
  ['a filter with an empty list', filtered({ data: { a: [] } }), 'subscriptions.0.filter.data.a'],
  ['a misspelt operator', filtered({ data: { a: [{ prefx: 'x' }] } }), 'subscriptions.0.filter.data.a.0.prefx'],
  ['an operator of no kind', filtered({ a: [{ constructor: 'x' }] }), 'subscriptions.0.filter.a.0.constructor'],
  ['numeric over a string', filtered({ a: [{ numeric: ['>', '5'] }] }), 'subscriptions.0.filter.a.0.numeric.1'],
  ['a wildcard with two stars', filtered({ a: [{ wildcard: 'x**' }] }), 'subscriptions.0.filter.a.0.wildcard'],
  ['26 levels of fields', filtered(nestedFilter(26)), `subscriptions.0.filter${'.a'.repeat(26)}`],
  ['700 branches of $or', filtered({ $or: Array(700).fill({ a: ['x'] }) }), 'subscriptions.0.filter.$or'],
  ['$or that multiplies', filtered(multiplyingFilter), 'subscriptions.0.filter.f6.$or'],
  ['a filter of 17 KB', filtered({ a: ['x'.repeat(17_000)] }), 'subscriptions.0.filter'],
  ['filters of 70 KB', { subscriptions: Array(5).fill({ filter: { a: ['x'.repeat(14_000)] } }) }, 'subscriptions'],
  ['a subscription to nothing in particular', { subscriptions: [{ types: ['a'] }, {}] }, 'subscriptions.1'],
  ['a filter that is null, without types', { subscriptions: [{ filter: null }] }, 'subscriptions.0'],
  ['a type with an empty segment', { subscriptions: [{}, { types: ['a', 'a..b'] }] }, 'subscriptions.1.types.1'],
  ['a type with a space', { subscriptions: [{ types: ['A B'] }] }, 'subscriptions.0.types.0'],
  ['no types', { subscriptions: [{ types: [] }] }, 'subscriptions.0.types'],
  ['101 types', { subscriptions: [{ types: Array(101).fill('a') }] }, 'subscriptions.0.types'],
  ['101 subscriptions', { subscriptions: Array(101).fill({}) }, 'subscriptions'],
  ['an unknown field in a subscription', { subscriptions: [{ type: 'a' }] }, 'subscriptions.0.type'],
  ['too many in flight', { max_in_flight: 1001 }, 'max_in_flight'],
  ['none in flight', { max_in_flight: 0 }, 'max_in_flight'],
  ['a signature of no kind', { signature: 'v2' }, 'signature'],
  ['enabled as text', { enabled: 'true' }, 'enabled'],
  ['a description that is long', { description: 'a'.repeat(501) }, 'description'],
  ['a description with NUL', { description: 'a\u0000b' }, 'description'],
  ['a description with half a character', { description: 'a\ud800b' }, 'description'],
  ['metadata with NUL', { metadata: { a: { b: ['\u0000'] } } }, 'metadata'],
  ['metadata with half a character as a name', { metadata: { '\ud800': 1 } }, 'metadata'],
  [
    'metadata of 51 names',
    { metadata: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`n${i}`, i])) },
    'metadata',
  ],
  ['metadata of 16 KiB and more', { metadata: { a: 'ä'.repeat(8200) } }, 'metadata'],
  ['metadata that is a list', { metadata: [] }, 'metadata'],
  ['__proto__ in metadata', { metadata: JSON.parse('{"a": {"__proto__": {}}}') }, 'metadata'],
  ['an unknown field', { colour: 'red' }, 'colour'],
  ['__proto__ as a field', JSON.parse('{"__proto__": {"enabled": false}}'), '__proto__'],
  ['constructor as a field', { constructor: { prototype: {} } }, 'constructor'],
  ['an id of one’s own', { id: 'ep_mine' }, 'id'],
];

test.each(badSettings)(
  '%s is refused with its path when made and when changed, and nothing is stored',
  async (_, settings, path) => {
    const before = await facts();
    // Spreading would turn an own `__proto__` into a prototype.
    const withUrl = `{"url":${JSON.stringify(url)},${JSON.stringify(settings).slice(1)}`;
    for (const answer of [
      await api('POST', endpoints, withUrl),
      await api('PATCH', `${endpoints}/${endpointId}`, JSON.stringify(settings)),
    ]) {
      expect(answer.status).toBe(422);
      expect(paths(answer)).toEqual([path]);
    }
    expect(await facts()).toEqual(before);
  },
);

test('a method that a path does not take is 405, with those that it takes; without a key it says no more than the document of the API does', async () => {
  const before = await facts();
  const methods = new Map<string, Set<string>>([['/v1/events', new Set(['post'])]]);
  for (const path of ['/healthz', '/readyz', '/metrics', '/openapi.json', '/docs']) methods.set(path, new Set(['get']));
  for (const { method, path } of routes) methods.set(path, (methods.get(path) ?? new Set()).add(method));
  for (const [path, allowed] of methods) {
    const some = path.replace(':tenant_id', 'acme').replaceAll(/:\w+/g, 'x');
    // What another path takes too, such as `…/retry` in place of an id, is that path's.
    const isAmbiguous = [...methods.keys()].some((other) => other !== path && matches(other, some));
    const response = await fetch(strict.url + some, { method: 'PROPFIND' });
    expect([some, response.status]).toEqual([some, 405]);
    expect(await response.json()).toMatchObject({ status: 405, code: 'method_not_allowed' });
    const said = response.headers.get('allow')!.toLowerCase().split(', ');
    const expected = allowed.has('get') ? [...allowed, 'head'] : [...allowed];
    if (!isAmbiguous) expect(said.sort()).toEqual(expected.sort());
  }
  expect(await facts()).toEqual(before);
});

function matches(pattern: string, path: string): boolean {
  return new RegExp(`^${pattern.replaceAll(/:\w+/g, '[^/]+')}$`).test(path);
}

test('a number without end in metadata is refused rather than stored as null', async () => {
  expect(await api('PATCH', `${endpoints}/${endpointId}`, '{"metadata":{"a":1e999}}')).toMatchObject({
    status: 422,
    body: { errors: [{ path: 'metadata' }] },
  });
});

test('every fault of a body is told at once', async () => {
  const answer = await api('POST', endpoints, {
    url,
    timeout_seconds: 0,
    order: 'sideways',
    headers: { Host: 'a', 'X-A': '\n' },
  });
  expect(paths(answer).sort()).toEqual(['headers.Host', 'headers.X-A', 'order', 'timeout_seconds']);
});

test.each([
  ['truncated JSON', '{"url":', 400],
  ['a list at the top', '[]', 422],
  ['null at the top', 'null', 422],
  ['100,000 levels', '['.repeat(100_000), 422],
  ['a body of 300 KB', `{"description":"${'a'.repeat(300_000)}"}`, 413],
])('%s is refused', async (_, body, status) => {
  const answer = await api('POST', endpoints, body);
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
});

test('a body that is too large is told how large it may be', async () => {
  const { body } = await api('POST', endpoints, `"${'a'.repeat(262_143)}"`);
  expect(body.detail).toBe('The request body is larger than the 262144 bytes that this call takes.');
});

test.each([
  ['POST', '{"url":"https://receiver.example/","url":"https://other.example/"}', ['url']],
  [
    'POST',
    '{"url":"https://receiver.example/","metadata":{"a":1,"a":2},"headers":{"x-a":"1","x-a":"2"}}',
    ['metadata.a', 'headers.x-a'],
  ],
  [
    'POST',
    '{"url":"https://receiver.example/","subscriptions":[{"filter":{"data":{"a":[1]},"data":{"b":[1]}}}]}',
    ['subscriptions.0.filter.data'],
  ],
])('a name that is given twice is refused, as either may be meant: %s %s', async (method, body, expected) => {
  const answer = await api(method, endpoints, body);
  expect([answer.status, paths(answer)]).toEqual([422, expected]);
});

test.each([
  'text/plain',
  'application/json; charset=latin1',
  'application/vnd.api+json',
  'application/x-www-form-urlencoded',
])('a body of %s is refused', async (type) => {
  expect((await api('POST', endpoints, '{"url":"https://receiver.example/"}', { 'content-type': type })).status).toBe(
    415,
  );
});

test.each(['application/json;', 'application/json; charset=utf8;', 'application/json ; ;'])(
  'a body of %s is taken: a parameter may be empty',
  async (type) => {
    const body = '{"url":"https://receiver.example/","description":"é"}';
    const answer = await api('POST', endpoints, body, { 'content-type': type });
    expect([answer.status, answer.body.description]).toEqual([201, 'é']);
  },
);

test('without a good key nothing is answered but 401', async () => {
  const revoked = (await api('POST', `${tenant}/keys`, {})).body;
  await api('DELETE', `${tenant}/keys/${revoked.id}`);
  const expired = (await api('POST', `${tenant}/keys`, { expires_in_seconds: 60 })).body;
  // By a minute: what a process takes for Postgres's clock may be some milliseconds behind.
  await service.context.apiPool.query(`UPDATE api_keys SET expires_at = now() - interval '1 minute' WHERE id = $1`, [
    expired.id,
  ]);
  const unknown = revoked.key.slice(0, -4);
  const values = [
    '',
    'Bearer',
    'Bearer ',
    `Bearer ${revoked.key}`,
    `Bearer ${expired.key}`,
    `Bearer ${unknown}AAAA`,
    'Bearer x',
    `Basic ${OPERATOR_KEY}`,
  ];
  for (const authorization of [...values, OPERATOR_KEY, `Bearer ${OPERATOR_KEY} x`, `Bearer ${'x'.repeat(600)}`]) {
    const answer = await raw(endpoints, { authorization });
    expect([authorization, answer.status, answer.type]).toEqual([
      authorization,
      401,
      'application/problem+json; charset=utf-8',
    ]);
  }
  expect((await raw(endpoints, {})).status).toBe(401);
});

test('a key in the query string is no key', async () => {
  expect((await raw(`${endpoints}?key=${OPERATOR_KEY}&access_token=${OPERATOR_KEY}`, {})).status).toBe(401);
});

test('another tenant’s key finds nothing, and a key that reads does not write', async () => {
  const other = (await api('POST', '/v1/tenants/other/keys', {})).body.key;
  const reader = (await api('POST', `${tenant}/keys`, { scopes: ['endpoints:read'] })).body.key;
  const before = await facts();
  const as = (key: string) => ({ authorization: `Bearer ${key}` });
  expect((await api('GET', `${endpoints}/${endpointId}`, undefined, as(other))).status).toBe(404);
  expect((await api('POST', endpoints, { url }, as(reader))).status).toBe(403);
  expect((await api('PATCH', `${endpoints}/${endpointId}`, { enabled: false }, as(reader))).status).toBe(403);
  expect((await api('DELETE', `${endpoints}/${endpointId}`, undefined, as(reader))).status).toBe(403);
  expect(await facts()).toEqual(before);
});

const oddIds = [
  '.',
  '..',
  '%2e',
  '%2e%2e',
  'a%2Fb',
  'a%0Ab',
  '%00',
  'a'.repeat(257),
  '%F0%9F%98%80',
  'ep_',
  'EP_00000000000000000000000000',
  'ep_00000000000000000000000000%00',
  '__proto__',
  'constructor',
];

test.each(oddIds)('an id of %s names nothing: 404 wherever it stands', async (id) => {
  for (const path of [
    `${endpoints}/${id}`,
    `${endpoints}/${id}/secret`,
    `/v1/tenants/${id}/endpoints`,
    `/v1/tenants/${id}`,
  ]) {
    const answer = await raw(path);
    expect([path, answer.status]).toEqual([path, 404]);
  }
});

test('a path that does not decode is malformed', async () => {
  expect((await raw(`${endpoints}/%zz`)).status).toBe(400);
  expect((await raw(`${endpoints}/%ff`)).status).toBe(400);
});

const lists = [endpoints, `${tenant}/keys`, `${tenant}/audit`, '/v1/tenants'];

test.each(lists)('%s takes a limit from 1 to 250 in plain digits', async (list) => {
  for (const limit of ['0', '-1', '1e9', '1000000000', '1e2', '0x10', 'NaN', '', '251', '1.5', '%201', '1&limit=2']) {
    const answer = await raw(`${list}?limit=${limit}`);
    expect([limit, answer.status, paths(answer)]).toEqual([limit, 422, ['limit']]);
  }
  expect((await raw(`${list}?limit=250`)).status).toBe(200);
});

test.each(lists)('%s refuses a cursor that is garbage, altered, or of another list or tenant', async (list) => {
  const { next } = (await raw(`${endpoints}?limit=1`)).body;
  const others = (await raw('/v1/tenants?limit=1')).body.next;
  const foreign = list === endpoints ? others : next;
  const altered = `${next.slice(0, -2)}${next.endsWith('A') ? 'B' : 'A'}${next.slice(-1)}`;
  for (const cursor of ['garbage', '%00', 'AAAA', 'a'.repeat(512), 'a'.repeat(5000), '', altered, foreign]) {
    const answer = await raw(`${list}?cursor=${cursor}`);
    expect([cursor, answer.status, paths(answer)]).toEqual([cursor, 422, ['cursor']]);
  }
});

test('a cursor of one tenant is refused by the same list of another', async () => {
  const { next } = (await raw(`${endpoints}?limit=1`)).body;
  expect((await raw(`${endpoints}?limit=1&cursor=${next}`)).status).toBe(200);
  expect(paths(await raw(`/v1/tenants/other/endpoints?cursor=${next}`))).toEqual(['cursor']);
});

test.each(['order=created_at;drop', 'id[$ne]=1', 'a[__proto__][b]=1', '__proto__=1', 'limit[]=1', 'constructor=1'])(
  'the query ?%s is refused',
  async (query) => {
    for (const list of lists) expect([list, (await raw(`${list}?${encodeURI(query)}`)).status]).toEqual([list, 422]);
  },
);

test('a stranger learns nothing from a body, whatever it is: the key is looked at first', async () => {
  const nobody = { authorization: 'Bearer nobody' };
  const reader = (await api('POST', `${tenant}/keys`, { scopes: ['endpoints:read'] })).body.key;
  for (const [body, type] of [
    ['{', 'application/json'],
    ['a', 'text/plain'],
    ['a'.repeat(300_000), 'application/json'],
  ] as const) {
    const headers = { 'content-type': type };
    expect((await api('POST', endpoints, body, { ...headers, ...nobody })).status).toBe(401);
    expect((await api('POST', endpoints, body, { ...headers, authorization: `Bearer ${reader}` })).status).toBe(403);
    expect((await api('POST', '/v1/tenants/nobody/endpoints', body, headers)).status).toBe(404);
  }
});

test('an answer that did not wait for the body closes the connection', async () => {
  const { hostname, port } = new URL(strict.url);
  const headers = { authorization: 'Bearer nobody', 'content-type': 'application/json', 'content-length': '1000' };
  const sent = request({ hostname, port, path: endpoints, method: 'POST', headers, agent: false });
  sent.on('error', () => {});
  sent.flushHeaders();
  const response = await new Promise<import('node:http').IncomingMessage>((resolve) => sent.on('response', resolve));
  expect([response.statusCode, response.headers.connection]).toEqual([401, 'close']);
  response.destroy();
});

test.each([
  ['a JSON object', '{}', { 'content-type': 'application/json' }],
  ['text', 'a', { 'content-type': 'text/plain' }],
  ['a chunked one', 'a', { 'transfer-encoding': 'chunked' }],
  ['a compressed one', 'a', { 'content-encoding': 'gzip' }],
  ['one of 300 KB', 'a'.repeat(300_000), {}],
])('a body where none is taken is refused: %s', async (_, body, headers: Record<string, string>) => {
  const before = await facts();
  const { hostname, port } = new URL(strict.url);
  const authorization = `Bearer ${OPERATOR_KEY}`;
  const length: Record<string, string> = 'transfer-encoding' in headers ? {} : { 'content-length': `${body.length}` };
  for (const method of ['DELETE', 'GET']) {
    const all = { authorization, ...headers, ...length };
    const sent = request({ hostname, port, path: `${endpoints}/${endpointId}`, method, headers: all, agent: false });
    const response = await new Promise<import('node:http').IncomingMessage>((resolve, reject) =>
      sent.on('response', resolve).on('error', reject).end(body),
    );
    expect([method, response.statusCode]).toEqual([method, 422]);
    expect(JSON.parse(await text(response)).errors).toEqual([{ path: '', message: 'this call takes no body' }]);
  }
  expect(await facts()).toEqual(before);
});

test('an empty body is none, announced or chunked', async () => {
  const { id } = (await api('POST', `${tenant}/keys`, {})).body;
  const { hostname, port } = new URL(strict.url);
  const authorization = `Bearer ${OPERATOR_KEY}`;
  for (const [path, status, header] of [
    [`${endpoints}/${endpointId}`, 200, { 'content-length': '0' }],
    [`${endpoints}/${endpointId}`, 200, { 'transfer-encoding': 'chunked' }],
    [`${tenant}/keys/${id}`, 204, { 'transfer-encoding': 'chunked' }],
  ] as const) {
    const method = status === 204 ? 'DELETE' : 'GET';
    const sent = request({ hostname, port, path, method, headers: { authorization, ...header }, agent: false }).end();
    const response = await new Promise<import('node:http').IncomingMessage>((resolve, reject) =>
      sent.on('response', resolve).on('error', reject),
    );
    expect(response.statusCode).toBe(status);
    response.resume();
  }
});

test.each([
  ['validate', 409],
  ['breaker/reset', 200],
  ['test', 202],
] as const)(
  'a call that needs no body takes none, an empty object, and chunks without a byte: %s',
  async (action, status) => {
    const { hostname, port } = new URL(strict.url);
    const { id } = (await api('POST', endpoints, { url })).body;
    const json = { 'content-type': 'application/json' };
    for (const [body, headers] of [
      ['', { 'content-length': '0' }],
      ['', { 'transfer-encoding': 'chunked' }],
      ['', { 'transfer-encoding': 'chunked', 'content-type': 'application/x-www-form-urlencoded' }],
      ['{}', { 'content-length': '2', ...json }],
      ['{}', { 'transfer-encoding': 'chunked', ...json }],
    ] as const) {
      const all = { authorization: `Bearer ${OPERATOR_KEY}`, ...headers };
      const path = `${endpoints}/${id}/${action}`;
      const sent = request({ hostname, port, path, method: 'POST', headers: all, agent: false });
      const response = await new Promise<IncomingMessage>((resolve, reject) =>
        sent.on('response', resolve).on('error', reject).end(body),
      );
      response.resume();
      expect([action, headers, response.statusCode]).toEqual([action, headers, status]);
    }
    for (const headers of [{}, { 'content-type': 'text/plain' }]) {
      const sent = request({ hostname, port, path: `${endpoints}/${id}/${action}`, method: 'POST', agent: false });
      for (const [name, value] of Object.entries({
        authorization: `Bearer ${OPERATOR_KEY}`,
        'transfer-encoding': 'chunked',
        ...headers,
      }))
        sent.setHeader(name, value);
      const response = await new Promise<IncomingMessage>((resolve, reject) =>
        sent.on('response', resolve).on('error', reject).end('{}'),
      );
      response.resume();
      expect(response.statusCode).toBe(415);
    }
  },
);

test.each(['/healthz', '/v1/tenants', '/openapi.json'])(
  'If-None-Match: * gets all of %s, which has no ETag',
  async (path) => {
    const headers = { authorization: `Bearer ${OPERATOR_KEY}`, 'if-none-match': '*' };
    // `fetch` would ask for no cached answer besides.
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    request(service.baseUrl + path, { headers }, resolve)
      .on('error', reject)
      .end();
    const answer = await promise;
    expect(answer.statusCode).toBe(200);
    expect(JSON.parse(await text(answer))).toBeTypeOf('object');
  },
);
