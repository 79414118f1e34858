import { connect } from 'node:net';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { startTestService, type TestService } from '../support/test-service.ts';
import { OPERATOR_KEY } from '../support/test-settings.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
});

afterAll(() => service.stop());

const post = (body: unknown, headers?: Record<string, string>) =>
  call(service.baseUrl, 'POST', '/v1/events', body, headers);

/** Headers that say nothing of one answer alone. */
function lasting(headers: Headers): Record<string, string> {
  const own = new Set(['x-request-id', 'date', 'content-length', 'content-type']);
  return Object.fromEntries([...headers].filter(([name]) => !own.has(name)));
}

test('answers to events have the headers of every other answer, whether they are taken or not', async () => {
  const { headers } = await call(service.baseUrl, 'GET', '/v1/tenants');
  const event = { type: 'headers', tenant_id: 'acme', data: {} };
  const answers = [
    await post(event),
    await post([event, event]),
    await post('[]', { 'content-type': 'application/cloudevents-batch+json' }),
    await post('{'),
    await post({ type: 'headers' }),
    await post(event, { authorization: 'Bearer nobody' }),
    await post(event, { 'content-type': 'text/plain' }),
    await call(service.baseUrl, 'POST', '/v1/events?a=b', event),
  ];
  expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 400, 422, 401, 415, 422]);
  const expected = lasting(headers);
  expect(expected).toMatchObject({
    'content-security-policy': "default-src 'none';frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'strict-transport-security': expect.any(String),
    'cache-control': 'no-store',
  });
  for (const answer of answers) {
    expect(lasting(answer.headers)).toMatchObject(expected);
    expect(answer.headers.get('x-request-id')).toMatch(/^req_[0-9a-f]{32}$/);
    const type = answer.status === 202 ? 'application/json' : 'application/problem+json';
    expect(answer.headers.get('content-type')).toBe(`${type}; charset=utf-8`);
  }
  expect(new Set(answers.map((answer) => answer.headers.get('x-request-id'))).size).toBe(answers.length);
});

/** What the server answers to bytes that come in pieces. */
async function answerTo(pieces: readonly (string | Buffer)[]): Promise<string> {
  const { hostname, port } = new URL(service.baseUrl);
  const socket = connect(Number(port), hostname).setNoDelay(true);
  let answer = '';
  // What it has to say, it has said.
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    answer += chunk;
  });
  for (const piece of pieces) {
    await new Promise((resolve) => socket.write(piece, resolve));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await eventually(
    async () => answer,
    (text) => text.includes('\r\n\r\n'),
  );
  socket.destroy();
  return answer;
}

const head = (more: string) =>
  `POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${OPERATOR_KEY}\r\ncontent-type: application/json\r\n${more}\r\n\r\n`;

test('a body is the same event in whatever pieces it comes, cut within a character or sent as chunks', async () => {
  const body = Buffer.from(JSON.stringify({ type: 'pieces', tenant_id: 'acme', data: { name: 'Zoë €' } }));
  const pieces = Array.from(body, (byte) => Buffer.from([byte]));
  expect(await answerTo([head(`content-length: ${body.length}`), ...pieces])).toMatch(/^HTTP\/1.1 202 /);
  const chunks = pieces.map((piece) => Buffer.concat([Buffer.from('1\r\n'), piece, Buffer.from('\r\n')]));
  expect(await answerTo([head('transfer-encoding: chunked'), ...chunks, '0\r\n\r\n'])).toMatch(/^HTTP\/1.1 202 /);
  const { rows } = await service.context.apiPool.query(
    "SELECT convert_from(body, 'UTF8')::json->'data'->>'name' AS name FROM events WHERE type = 'pieces'",
  );
  expect(rows).toEqual([{ name: 'Zoë €' }, { name: 'Zoë €' }]);
});

test('a producer that goes away in the midst of a body has stored nothing, and is counted', async () => {
  const counted = async () =>
    /^posthorn_ingest_requests_refused_total\{code="incomplete_body"\} (\d+)/m.exec(
      await service.context.observe.metrics.text(),
    )?.[1] ?? '0';
  const before = Number(await counted());
  const { hostname, port } = new URL(service.baseUrl);
  const socket = connect(Number(port), hostname);
  const body = JSON.stringify({ type: 'cut', tenant_id: 'acme', data: {} });
  await new Promise((resolve) => socket.write(head(`content-length: ${body.length}`) + body.slice(0, -1), resolve));
  socket.end();
  await eventually(counted, (count) => Number(count) === before + 1);
  const { rows } = await service.context.apiPool.query("SELECT 1 FROM events WHERE type = 'cut'");
  expect(rows).toEqual([]);
});

test('what no length was told of, or too much, is refused as ever', async () => {
  expect(await answerTo([head('content-length: 0')])).toMatch(/^HTTP\/1.1 400 [\s\S]*invalid_json/);
  expect(await answerTo([head('content-length: 3\r\ncontent-encoding: gzip'), 'abc'])).toMatch(
    /^HTTP\/1.1 415 [\s\S]*unsupported_encoding/,
  );
  const most = service.context.config.MAX_BATCH_BYTES;
  expect(await answerTo([head(`content-length: ${most + 1}`), Buffer.alloc(most + 1, ' ')])).toMatch(
    /^HTTP\/1.1 413 [\s\S]*too_large/,
  );
});

/** As clients do that read no answer before all is sent. @returns what they read then */
async function sendThenRead(head: readonly string[], bytes: number): Promise<string> {
  const { hostname, port } = new URL(service.baseUrl);
  const socket = connect(Number(port), hostname).pause();
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk;
  });
  const closed = new Promise<void>((resolve, reject) => socket.once('error', reject).once('close', () => resolve()));
  const lines = ['POST /v1/events HTTP/1.1', 'host: x', ...head, `content-length: ${bytes}`];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  socket.write(Buffer.alloc(bytes, 'x'), () => socket.resume());
  await closed;
  return answer;
}

test('a client that never stops sending after its answer is cut off', async () => {
  const { hostname, port } = new URL(service.baseUrl);
  const socket = connect(Number(port), hostname);
  socket.write(head('content-length: 1000000000').replace(OPERATOR_KEY, 'nobody'));
  const dripping = setInterval(() => socket.write('x'), 20);
  onTestFinished(() => {
    clearInterval(dripping);
    socket.destroy();
  });
  const bound = AbortSignal.timeout(PATIENCE_MS);
  const answer = await new Promise<string>((resolve) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    // A write may meet the reset before the close is read.
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
    bound.addEventListener('abort', () => resolve('It was not cut off.'));
  });
  expect(answer).toMatch(/^HTTP\/1.1 401 /);
});

const KEY = `authorization: Bearer ${OPERATOR_KEY}`;
const JSON_TYPE = 'content-type: application/json';

test.each([
  ['too much', 413, [KEY, JSON_TYPE], 20_000_000],
  ['by nobody', 401, ['authorization: Bearer nobody', JSON_TYPE], 7_000_000],
  ['of another kind', 415, [KEY, 'content-type: text/plain'], 7_000_000],
])(
  'a producer that sends all before it reads hears why its body was refused: %s',
  async (_what, status, head, bytes) => {
    expect(await sendThenRead(head, bytes)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  },
);
