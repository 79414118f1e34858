import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { json } from './fixtures/fake-server.ts';
import { Posthorn } from './posthorn.ts';
import { exchange, type HttpRequest } from './transport.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const get: HttpRequest = { method: 'GET', path: '/v1/tenants' };
const deaf = () => new Promise<Response>(() => {});

async function once(fetch: typeof globalThis.fetch, request = get, timeoutMs = 1_000, signal?: AbortSignal) {
  const answer = exchange({ url: 'http://posthorn.test', key: 'key', fetch }, request, timeoutMs, signal);
  const settled = answer.catch((reason: unknown) => ({ reason }));
  await vi.runAllTimersAsync();
  return settled;
}

test('fetch gets nothing as its this', async () => {
  const seen: unknown[] = [];
  async function fetch(this: unknown) {
    seen.push(this);
    return json(200, {});
  }
  await once(fetch);
  expect(seen).toEqual([undefined]);
});

test('a fetch that does not mind its signal holds up nothing', async () => {
  expect(await once(deaf)).toMatchObject({ ok: false, failure: { mayHaveArrived: true } });
  const controller = new AbortController();
  setTimeout(() => controller.abort('enough'), 10);
  expect(await once(deaf, get, 1_000, controller.signal)).toEqual({ reason: 'enough' });
  expect(vi.getTimerCount()).toBe(0);
});

test('no timer is longer than a timer can be: it would end at once', async () => {
  const beganAt = Date.now();
  await once(deaf, get, Number.POSITIVE_INFINITY);
  expect(Date.now() - beganAt).toBe(2 ** 31 - 1);
});

test.each([
  ['ECONNREFUSED', undefined, false],
  ['ENOTFOUND', 'getaddrinfo', false],
  ['EHOSTUNREACH', 'connect', false],
  ['ETIMEDOUT', 'connect', false],
  ['EHOSTUNREACH', 'read', true],
  ['ENETUNREACH', 'write', true],
  ['ETIMEDOUT', 'read', true],
  ['ETIMEDOUT', undefined, true],
])('%s of %s says whether the request may have arrived: %s', async (code, syscall, mayHaveArrived) => {
  const cause = { code, syscall };
  const failure = { mayHaveArrived };
  expect(await once(() => Promise.reject(new TypeError('failed', { cause })))).toMatchObject({ failure });
  const each = { code, errors: [cause, cause] };
  expect(await once(() => Promise.reject(new TypeError('failed', { cause: each })))).toMatchObject({ failure });
});

test('a fetch that rejects with nothing is one without an answer', async () => {
  expect(await once(() => Promise.reject(undefined))).toMatchObject({ failure: { name: 'NoAnswerError' } });
});

test('what is not JSON is no answer, except where text is wanted', async () => {
  const page = async () => new Response('<html>', { headers: { 'content-type': 'text/html' } });
  expect(await once(page)).toMatchObject({ failure: { name: 'NoAnswerError', mayHaveArrived: true } });
  expect(await once(page, { ...get, wantsText: true })).toEqual({ ok: true, value: '<html>' });
  const upper = async () => json(200, {}, { 'content-type': 'Application/JSON' });
  expect(await once(upper)).toEqual({ ok: true, value: {} });
  const client = new Posthorn({ url: 'http://posthorn.test', key: 'key', fetch: page });
  expect(await client.request('GET /docs')).toBe('<html>');
});

test.each([
  ['fields by name', { errors: { body: ['bad'] } }, []],
  [
    'no fields',
    { errors: [null, 7, { path: 1, message: 'm' }, { path: 'a', message: 'm' }] },
    [{ path: 'a', message: 'm' }],
  ],
  ['nothing', null, []],
])('a problem document of a gateway, with %s in it, is an answer like others', async (_, body, errors) => {
  const more = { code: 7, title: {}, detail: [], request_id: 1, ...body };
  const headers = { 'content-type': 'application/problem+json' };
  const refuse = async () => new Response(JSON.stringify(body === null ? null : more), { status: 422, headers });
  const failure = { status: 422, code: null, title: '', detail: '', requestId: null, errors };
  expect(await once(refuse)).toMatchObject({ ok: false, failure });
});
