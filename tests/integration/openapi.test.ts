import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { OpenApiDocument } from '../../src/api/openapi.ts';
import type { Reference, ResponseObject } from '../../src/api/openapi-problem.ts';
import { routes } from '../../src/api/routes.ts';
import { CORE_ATTRIBUTES } from '../../src/cloudevents/cloud-event.ts';
import { call } from '../support/api.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;
let document: OpenApiDocument;

beforeAll(async () => {
  service = await startTestService();
  document = (await (await fetch(`${service.baseUrl}/openapi.json`)).json()) as OpenApiDocument;
});

afterAll(() => service.stop());

const operations = () => Object.values(document.paths).flatMap((methods) => Object.values(methods));

const PROBLEM = 'application/problem+json';

/** An answer as the document describes it, there or where it refers to. */
function answerOf(described: ResponseObject | Reference): ResponseObject {
  if (!('$ref' in described)) return described;
  return document.components.responses[described.$ref.slice('#/components/responses/'.length)]!;
}

const OUTSIDE_V1 = ['/docs', '/healthz', '/metrics', '/openapi.json', '/readyz'];

test('every route is in the document, and ingest, and what is outside /v1', () => {
  const described = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  const mounted = routes.map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`);
  const others = OUTSIDE_V1.map((path) => `get ${path}`);
  expect(described.sort()).toEqual([...mounted, 'post /v1/events', ...others].sort());
});

test('every operation has an id of its own, and every path parameter is described', () => {
  const ids = operations().map((operation) => operation.operationId);
  expect(new Set(ids).size).toBe(ids.length);
  for (const [path, methods] of Object.entries(document.paths)) {
    const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
    for (const { parameters } of Object.values(methods)) {
      expect(parameters.filter((parameter) => parameter.in === 'path').map((parameter) => parameter.name)).toEqual(
        names,
      );
    }
  }
});

test('who has the document already is told so', async () => {
  const ask = (etag: string) => call(service.baseUrl, 'GET', '/openapi.json', undefined, { 'if-none-match': etag });
  const { status, headers, body } = await ask('"other"');
  expect([status, headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
  expect(body).toEqual(document);
  const again = await ask(headers.get('etag')!);
  expect([again.status, again.body]).toEqual([304, undefined]);
});

test('every reference leads somewhere', () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1]!);
  expect(references.length).toBeGreaterThan(0);
  const { schemas, responses } = document.components;
  const known = Object.entries({ schemas, responses }).flatMap(([kind, named]) =>
    Object.keys(named).map((name) => `#/components/${kind}/${name}`),
  );
  expect(references.filter((reference) => !known.includes(reference))).toEqual([]);
});

test('every call says that it may be malformed, and every one that changes something that it may conflict', () => {
  for (const [path, methods] of Object.entries(document.paths).filter(([each]) => !OUTSIDE_V1.includes(each))) {
    for (const [method, { responses }] of Object.entries(methods)) {
      const problems = Object.keys(responses).filter((status) => answerOf(responses[status]!).content?.[PROBLEM]);
      const always = ['400', '408', '422', '431', '500', '503'];
      expect([path, method, problems]).toEqual([path, method, expect.arrayContaining(always)]);
      expect([path, method, problems.includes('409')]).toEqual([path, method, method !== 'get']);
    }
  }
});

test('what the document says of the paths outside /v1 is so', async () => {
  for (const path of OUTSIDE_V1) {
    const response = await fetch(service.baseUrl + path);
    const described = answerOf(document.paths[path]!.get!.responses[response.status]!);
    const type = response.headers.get('content-type')!.split(';')[0]!;
    expect([path, Object.keys(described.content!)]).toEqual([path, [type]]);
  }
});

test('a call without a body is refused for that where the document says that it needs one, and nowhere else', async () => {
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
  const endpoints = '/v1/tenants/acme/endpoints';
  const { body } = await call(service.baseUrl, 'POST', endpoints, { url: 'https://receiver.example/' });
  const real: Record<string, string> = { tenant_id: 'acme', endpoint_id: body.id };
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, { requestBody }] of Object.entries(methods)) {
      if (requestBody === undefined || path === '/v1/events') continue;
      const called = path.replaceAll(/\{(\w+)\}/g, (_, name) => real[name] ?? 'x');
      const { status } = await call(service.baseUrl, method, called);
      expect([method, path, status === 422]).toEqual([method, path, requestBody.required]);
    }
  }
});

test('a method that the document does not have for a path is answered as it says of 405', async () => {
  const { headers, content } = document.components.responses.MethodNotAllowed!;
  for (const path of [...OUTSIDE_V1, '/v1/events', '/v1/tenants']) {
    const response = await fetch(service.baseUrl + path, { method: 'DELETE' });
    expect([path, response.status]).toEqual([path, 405]);
    for (const name of Object.keys(headers!)) expect([path, response.headers.get(name)]).not.toEqual([path, null]);
    expect(Object.keys(content!)).toEqual([response.headers.get('content-type')!.split(';')[0]]);
  }
});

test('an event says of its time that it is one, and the attributes of CloudEvents in binary mode are headers', () => {
  const { timestamp } = document.components.schemas.NewEvent!.properties as Record<string, unknown>;
  expect(timestamp).toEqual({ type: 'string', format: 'date-time' });
  const { parameters } = document.paths['/v1/events']!.post!;
  const attributes = CORE_ATTRIBUTES.filter((name) => name !== 'datacontenttype').map((name) => `ce-${name}`);
  expect(parameters.map(({ name }) => name)).toEqual(['Idempotency-Key', ...attributes]);
});

test('an answer may gain fields without breaking the document; an input may not have unknown ones', () => {
  expect(document.components.schemas.Endpoint).not.toHaveProperty('additionalProperties');
  const create = document.paths['/v1/tenants/{tenant_id}/endpoints']!.post!;
  expect(create.requestBody?.content['application/json']?.schema).toMatchObject({
    additionalProperties: false,
    properties: { url: expect.anything(), destination: expect.anything() },
  });
});

test('the page for people shows every call, and loads nothing but the style that its policy names', async () => {
  const response = await fetch(`${service.baseUrl}/docs`);
  const html = await response.text();
  const style = /<style>([\s\S]*?)<\/style>/.exec(html)![1]!;
  const hash = createHash('sha256').update(style).digest('base64');
  expect(response.headers.get('content-security-policy')).toContain(`default-src 'none'; style-src 'sha256-${hash}'`);
  expect(html).not.toMatch(/<script|<img|<link|style=|src=/);
  for (const path of Object.keys(document.paths)) expect(html).toContain(`<code>${path}</code>`);
});

test('the documents made from the code are as the code is', async () => {
  const script = fileURLToPath(new URL('../../scripts/generate-docs.ts', import.meta.url));
  const child = spawn(process.execPath, [script, '--check'], { stdio: ['ignore', 'inherit', 'pipe'] });
  const [stale, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  expect({ stale, code }).toEqual({ stale: '', code: 0 });
});
