import { once } from 'node:events';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { HttpServer } from '../../src/api/http-server.ts';
import { call } from '../support/api.ts';
import { startTestService, type TestService } from '../support/test-service.ts';
import { OPERATOR_KEY } from '../support/test-settings.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
});

afterAll(() => service.stop());

async function countEvents(): Promise<number> {
  const { rows } = await service.context.apiPool.query('SELECT count(*)::int AS n FROM events');
  return rows[0].n;
}

const json = { 'content-type': 'application/json' };

async function post(
  body: string | Buffer,
  headers: Record<string, string> = json,
): Promise<{ status: number; paths: string[]; code: string }> {
  const response = await fetch(`${service.baseUrl}/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${OPERATOR_KEY}`, ...headers },
    body: typeof body === 'string' ? body : new Uint8Array(body),
  });
  const problem = (await response.json()) as { code: string; errors?: { path: string }[] };
  if (response.status >= 400) expect(response.headers.get('content-type')).toMatch('application/problem+json');
  return { status: response.status, code: problem.code, paths: (problem.errors ?? []).map((fault) => fault.path) };
}

const event = (fields: Record<string, unknown>) =>
  JSON.stringify({ type: 'a.b', tenant_id: 'acme', data: {}, ...fields });

// The request as it is sent, the status, and where the fault is said to be.
const refused: [title: string, body: string | Buffer, status: number, path?: string][] = [
  ['truncated JSON', '{"type":"a.b","tenant_id":"acme","data":{', 400],
  ['an empty body', '', 400],
  ['null', 'null', 422, ''],
  ['a number', '1', 422, ''],
  ['a string', '"s"', 422, ''],
  ['an empty batch', '[]', 422, ''],
  ['a batch of nothing but null', '[null]', 422, '0'],
  ['100,000 opened arrays', '['.repeat(100_000), 422, ''],
  [
    '100,000 levels of arrays in data',
    event({ data: 1 }).replace(':1}', `:${'['.repeat(100_000)}${']'.repeat(100_000)}}`),
    422,
    '',
  ],
  ['__proto__ beside the fields', '{"__proto__":{"x":1},"type":"a.b","tenant_id":"acme","data":{}}', 422, '__proto__'],
  [
    'constructor beside the fields',
    '{"constructor":{"prototype":{}},"type":"a.b","tenant_id":"acme","data":{}}',
    422,
    'constructor',
  ],
  ['a field given twice', '{"type":"a.b","type":"a.c","tenant_id":"acme","data":{}}', 422, 'type'],
  ['an unknown field', event({ colour: 'red' }), 422, 'colour'],
  ['no type', '{"tenant_id":"acme","data":{}}', 422, 'type'],
  ['no data', '{"type":"a.b","tenant_id":"acme"}', 422, 'data'],
  ['no tenant with an operator key', '{"type":"a.b","data":{}}', 422, 'tenant_id'],
  ['an unknown tenant', event({ tenant_id: 'nobody' }), 404, 'tenant_id'],
  ['a byte order mark', Buffer.from(`\ufeff${event({})}`), 400],
  [
    'invalid UTF-8',
    Buffer.concat([
      Buffer.from('{"type":"a.b","tenant_id":"acme","data":"'),
      Buffer.from([0xff, 0xfe]),
      Buffer.from('"}'),
    ]),
    400,
  ],
  ['an event over the limit', event({ data: 'x'.repeat(262_144) }), 413],
  ['a 10 MB string', event({ data: 'x'.repeat(10_000_000) }), 413],
  ['a batch of 1,001', `[${Array(1_001).fill(event({})).join(',')}]`, 413],
  ['a batch with one bad item', `[${event({})},${event({ type: 'a..b' })},${event({})}]`, 422, '1.type'],
  ...['evt.1', 'a/b', '..', '%2e', 'a\nb', 'a\u0000b', 'x'.repeat(257), '😀', '', ' '].map(
    (id): [string, string, number, string] => [
      `the event id ${JSON.stringify(id).slice(0, 20)}`,
      event({ id }),
      422,
      'id',
    ],
  ),
  ...['a..b', '.a', 'a.', 'A B', '*', 'a.*', 'x'.repeat(129), '', 'a\u0000', 'system.endpoint.disabled', 'system'].map(
    (type): [string, string, number, string] => [
      `the type ${JSON.stringify(type).slice(0, 20)}`,
      event({ type }),
      422,
      'type',
    ],
  ),
  ...['', 'x'.repeat(256), 'a\nb', '€'].map((key): [string, string, number, string] => [
    `the idempotency key ${JSON.stringify(key).slice(0, 20)}`,
    event({ metadata: { idempotency_key: key } }),
    422,
    'metadata.idempotency_key',
  ]),
  ...['yesterday', '2024-03-14', '2024-02-30T10:00:00Z', '2024-03-14T25:00:00Z', '2024-03-14T10:30:00', 1710412200].map(
    (timestamp): [string, string, number, string] => [
      `the timestamp ${timestamp}`,
      event({ timestamp }),
      422,
      'timestamp',
    ],
  ),
  ['a subject with a control character', event({ subject: 'a\u0000b' }), 422, 'subject'],
  [
    'a subject with half a surrogate',
    '{"type":"a.b","tenant_id":"acme","data":{},"subject":"\\ud800"}',
    422,
    'subject',
  ],
  ['a version that is none', event({ version: 'latest' }), 422, 'version'],
];

test.each(refused)('%s is refused, and nothing is stored', async (_title, body, status, path) => {
  const before = await countEvents();
  const answer = await post(body);
  expect(answer.status).toBe(status);
  if (path !== undefined) expect(answer.paths).toContain(path);
  expect(await countEvents()).toBe(before);
});

const unusualTypes: [string, Record<string, string>][] = [
  ['no content type', {}],
  ['text/plain', { 'content-type': 'text/plain' }],
  ['charset=latin1', { 'content-type': 'application/json; charset=latin1' }],
  ['another +json', { 'content-type': 'application/vnd.api+json' }],
];

test.each(unusualTypes)('%s is 415', async (_title, headers) => {
  const answer = await post(Buffer.from(event({})), headers);
  expect(answer.status).toBe(415);
});

test.each(['application/json;', 'application/json; charset=utf-8;', 'application/x-ndjson;', 'application/json;;'])(
  '%s is taken: a parameter may be empty',
  async (type) => {
    expect((await post(event({}), { 'content-type': type })).status).toBe(202);
  },
);

test('a gzip bomb is not inflated: 415', async () => {
  const answer = await post(gzipSync(event({ data: 'x'.repeat(5_000_000) })), { ...json, 'content-encoding': 'gzip' });
  expect(answer.status).toBe(415);
});

test('an NDJSON line cut in half is 400 and names its line', async () => {
  const answer = await call(service.baseUrl, 'POST', '/v1/events', `${event({})}\n{"type":"a.b`, {
    'content-type': 'application/x-ndjson',
  });
  expect(answer.status).toBe(400);
  expect(answer.body.detail).toMatch('line 2');
});

test('values that look dangerous and are not are taken as they are', async () => {
  for (const data of [
    '{"__proto__":{"admin":true}}',
    '{"constructor":{"prototype":{}}}',
    '{"n":1e999}',
    '{"n":-0}',
    '{"n":9007199254740993}',
    '"\\u0000"',
    '{"a":1,"a":2}',
  ]) {
    const id = `odd-${Buffer.from(data).toString('hex').slice(0, 60)}`;
    expect((await post(`{"id":"${id}","type":"odd.value","tenant_id":"acme","data":${data}}`)).status).toBe(202);
    const { rows } = await service.context.apiPool.query(
      `SELECT convert_from(body, 'UTF8') AS body FROM events WHERE external_id = $1`,
      [id],
    );
    expect(rows[0].body).toContain(`"data":${data}}`);
  }
  expect(({} as Record<string, unknown>).admin).toBeUndefined();
});

async function overSocket(text: string): Promise<string> {
  const { hostname, port } = new URL(service.baseUrl);
  const socket = connect(Number(port), hostname);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.write(text);
  await once(socket, 'close');
  return Buffer.concat(chunks).toString();
}

const head = (more: string) =>
  `POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${OPERATOR_KEY}\r\ncontent-type: application/json\r\n${more}\r\n`;

test('a request with both Content-Length and Transfer-Encoding is refused: nothing is smuggled', async () => {
  const before = await countEvents();
  const smuggled = `${head(`content-length: ${event({}).length}\r\n`)}${event({})}`;
  const answer = await overSocket(`${head('content-length: 6\r\ntransfer-encoding: chunked\r\n')}0\r\n\r\n${smuggled}`);
  expect(answer).toMatch(/^HTTP\/1\.1 400/);
  expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
  expect(await countEvents()).toBe(before);
});

test('pipelined requests are answered each, in order', async () => {
  const one = `${head(`content-length: ${event({}).length}\r\n`)}${event({})}`;
  const last = `${head(`content-length: 4\r\nconnection: close\r\n`)}null`;
  const answer = await overSocket(one + one + last);
  expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 202', 'HTTP/1.1 202', 'HTTP/1.1 422']);
});

/** The server as it is in production: a bare one of Node's asks for every body. */
async function listen(): Promise<number> {
  const server = new HttpServer();
  onTestFinished(() => server.stop(0));
  const { port } = await server.listen('127.0.0.1', 0);
  server.serve(createApp(service.context));
  return port;
}

test.each([
  ['an event', '/v1/events', event({}), 202],
  ['the body of another call', '/v1/tenants', '{"id":"expecting"}', 201],
])('Expect: 100-continue is answered before %s is sent', async (_, path, body, status) => {
  const socket = connect(await listen(), '127.0.0.1');
  const told = () => once(socket, 'data').then(([chunk]) => String(chunk));
  socket.write(
    head(`content-length: ${body.length}\r\nexpect: 100-continue\r\nconnection: close\r\n`).replace('/v1/events', path),
  );
  expect(await told()).toBe('HTTP/1.1 100 Continue\r\n\r\n');
  socket.write(body);
  expect(await told()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  socket.destroy();
});

test.each([
  ['too large', '/v1/events', OPERATOR_KEY, 1_000_000_000, 413],
  ['too large for another call', '/v1/tenants', OPERATOR_KEY, 1_000_000, 413],
  ['a stranger’s', '/v1/events', 'nope', 1_000, 401],
  ['a stranger’s, to another call', '/v1/tenants', 'nope', 1_000, 401],
  ['for a call that takes none', '/v1/tenants', OPERATOR_KEY, 1_000, 422],
])('a client that expects 100-continue is not asked for a body that is %s', async (_, path, key, length, status) => {
  const socket = connect(await listen(), '127.0.0.1');
  const headers = `authorization: Bearer ${key}\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: ${length}`;
  socket.write(`${status === 422 ? 'GET' : 'POST'} ${path} HTTP/1.1\r\nhost: x\r\n${headers}\r\n\r\n`);
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  socket.destroy();
});

test('a stranger’s body is not read: 401 and the connection closes', async () => {
  const answer = await overSocket(
    'POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer nope\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n{',
  );
  expect(answer).toMatch(/^HTTP\/1\.1 401/);
  expect(answer.toLowerCase()).toContain('connection: close');
});

const keys: [string, string | undefined][] = [
  ['no header', undefined],
  ['an empty bearer', 'Bearer '],
  ['another scheme', 'Basic abc'],
  ['an unknown key', `Bearer phk_aaaaaaaaaaaa_${'a'.repeat(43)}`],
  ['half the operator key', `Bearer ${OPERATOR_KEY.slice(0, 20)}`],
];

test.each(keys)('%s is 401 with a challenge', async (_title, authorization) => {
  const response = await fetch(`${service.baseUrl}/v1/events`, {
    method: 'POST',
    headers: { ...json, ...(authorization === undefined ? {} : { authorization }) },
    body: event({}),
  });
  expect(response.status).toBe(401);
  expect(response.headers.get('www-authenticate')).toBe('Bearer');
});

test('a key in the query string is no key', async () => {
  const response = await fetch(`${service.baseUrl}/v1/events?key=${OPERATOR_KEY}&access_token=${OPERATOR_KEY}`, {
    method: 'POST',
    headers: json,
    body: event({}),
  });
  expect(response.status).toBe(401);
});

test('an idempotency key may be used again after it has expired', async () => {
  const body = event({ id: 'again', data: { n: 1 } });
  expect((await post(body)).status).toBe(202);
  const long = '00000000-0000-7000-8000-000000000000';
  await service.context.apiPool.query('UPDATE idempotency_keys SET event_id = $1', [long]);
  const answer = await call(service.baseUrl, 'POST', '/v1/events', event({ id: 'again', data: { n: 2 } }));
  expect(answer).toMatchObject({ status: 202, body: { status: 'accepted' } });
});

test('a batch must not carry one Idempotency-Key for all', async () => {
  const answer = await post(`[${event({})}]`, { ...json, 'idempotency-key': 'k' });
  expect(answer).toMatchObject({ status: 422, paths: ['idempotency-key'] });
});

test('a query parameter is refused by name, and to those alone who have a key', async () => {
  const before = await countEvents();
  const send = (authorization: string) =>
    call(service.baseUrl, 'POST', '/v1/events?foo=1', event({}), { authorization });
  expect(await send(`Bearer ${OPERATOR_KEY}`)).toMatchObject({ status: 422, body: { errors: [{ path: 'foo' }] } });
  expect((await send('Bearer nobody')).status).toBe(401);
  expect(await countEvents()).toBe(before);
});
