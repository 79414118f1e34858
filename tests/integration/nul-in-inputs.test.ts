import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { routes } from '../../src/api/routes.ts';
import { SECRET_PATHS } from '../../src/config/source-secrets.ts';
import { call } from '../support/api.ts';
import { createSource, kafkaSource } from '../support/kafka-source.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;
/** What is there, so that nothing else is wrong with a call; of the rest, what could be. */
const named: Record<string, string> = {
  tenant_id: 'acme',
  type: 'order.made',
  version: '1.0',
  preset: 'stripe',
  key_id: `key_${'0'.repeat(26)}`,
  event_id: 'evt_1',
  delivery_id: `dlv_${'0'.repeat(32)}`,
  replay_id: `rpl_${'0'.repeat(26)}`,
  message_id: '01900000-0000-7000-8000-000000000000',
};

beforeAll(async () => {
  service = await startTestService();
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
  const endpoint = await call(service.baseUrl, 'POST', '/v1/tenants/acme/endpoints', {
    url: 'https://receiver.example/',
  });
  named.endpoint_id = endpoint.body.id;
  await call(service.baseUrl, 'PUT', '/v1/tenants/acme/event-types/order.made/versions/1.0', { schema: {} });
  named.source_id = await createSource(service.baseUrl, kafkaSource('127.0.0.1:1', ['orders']));
});
afterAll(() => service.stop());

function urlOf(path: string, bad: Record<string, string> = {}): string {
  return path.replaceAll(/:(\w+)/g, (_, name: string) => {
    if (named[name] === undefined) throw new Error(`name something for :${name} above`);
    return bad[name] ?? named[name];
  });
}

const inPaths = routes.flatMap((route) =>
  [...route.path.matchAll(/:(\w+)/g)].map((match) => ({ ...route, name: match[1]! })),
);
const inQueries = routes.flatMap((route) => {
  const { properties = {} } = z.toJSONSchema(route.query, { io: 'input', unrepresentable: 'any' });
  return Object.keys(properties).map((name) => ({ ...route, name }));
});

test.each(inPaths)('a NUL in $name names nothing: $method $path', async ({ method, path, name, body }) => {
  for (const bad of ['%00', 'a%00b', `${named[name]}%00`]) {
    const sent = body === undefined ? undefined : {};
    const answer = await call(service.baseUrl, method, urlOf(path, { [name]: bad }), sent);
    expect([bad, answer.status, answer.body.code]).toEqual([bad, 404, expect.stringMatching(/not_found$/)]);
  }
});

test.each(inQueries)('a NUL in the query is told of: $name of $method $path', async ({ method, path, name }) => {
  for (const bad of ['%00', 'a%00b', `a&${name}=%00`]) {
    const answer = await call(service.baseUrl, method, `${urlOf(path)}?${name}=${bad}`);
    expect(answer.status).toBe(422);
    expect(answer.body.errors.map((fault: { path: string }) => fault.path)).toContain(name);
  }
});

const tls = { ca: '-----BEGIN A', cert: '-----BEGIN B', key: '-----BEGIN C', server_name: 'broker.example' };
const mapping = { format: 'mapped', tenant_id: 'const:acme', type: 'header:type', data: 'body:/data' };
const sasl = { mechanism: 'PLAIN', username: 'u', password: 'p' };
const kafka = {
  ...{ type: 'kafka', name: 'k', tenant_id: 'acme', mapping, connection: { brokers: ['127.0.0.1:1'], tls, sasl } },
  ...{ consume: { pattern: 'orders', group: 'g' }, on_rejected: { dead_letter_topic: 'rejected' } },
};
const rabbitmq = {
  ...{ type: 'rabbitmq', name: 'r', tenant_id: 'acme', mapping },
  connection: { hosts: ['127.0.0.1:1'], vhost: '/', username: 'u', password: 'p', tls },
  consume: {
    exchange: { name: 'e', type: 'headers' },
    queue: { name: 'q', dead_letter_exchange: 'd', dead_letter_routing_key: 'k' },
    bindings: [{ routing_key: 'k', headers: { 'x-match': 'all' } }],
  },
  on_rejected: { dead_letter_exchange: 'd', dead_letter_routing_key: 'k' },
};

/** Where a description has text, but for secrets: they are sealed, and go as they are. */
function textsIn(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value === 'string') return (SECRET_PATHS as readonly string[]).includes(path.join('.')) ? [] : [path];
  return Object.entries(value as object).flatMap(([name, part]) => textsIn(part, [...path, name]));
}

function withText(value: unknown, path: readonly string[], text: string): unknown {
  const [name, ...rest] = path;
  if (name === undefined) return text;
  const changed = Object.entries(value as object).map(([key, part]) => [
    key,
    key === name ? withText(part, rest, text) : part,
  ]);
  return Array.isArray(value) ? changed.map(([, part]) => part) : Object.fromEntries(changed);
}

const inSources = [kafka, rabbitmq].flatMap((source) =>
  textsIn(source).map((path) => ({ source, type: source.type, path: path.join('.'), steps: path })),
);

test.each(inSources)(
  'text of a $type source that cannot be stored is told of: $path',
  async ({ source, path, steps }) => {
    const good = steps.reduce<unknown>((value, name) => (value as Record<string, unknown>)[name], source);
    for (const bad of ['\u0000', '\ud800', `${good}\u0000`, `${good}\ud800`]) {
      const answer = await call(service.baseUrl, 'POST', '/v1/sources', withText(source, steps, bad));
      expect(answer.status).toBe(422);
      expect(answer.body.errors.map((fault: { path: string }) => fault.path)).toContain(path);
    }
  },
);

test.each([kafka, rabbitmq])('the $type source is taken as it is', async (source) => {
  expect(await call(service.baseUrl, 'POST', '/v1/sources', source)).toMatchObject({ status: 201 });
});

test.each(['retry', 'discard'])('text that no rejected message can have is told of: %s', async (action) => {
  for (const name of ['reason', 'group'])
    for (const bad of ['\u0000', 'a\u0000b', 'a\ud800']) {
      const path = `/v1/sources/${named.source_id}/rejected/${action}`;
      expect(await call(service.baseUrl, 'POST', path, { [name]: bad })).toMatchObject({
        status: 422,
        body: { errors: [{ path: name }] },
      });
    }
});
