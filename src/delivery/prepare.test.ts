import fc from 'fast-check';
import { Client } from 'undici';
import { expect, test } from 'vitest';
import type { KafkaDestination, RabbitmqDestination } from '../domain/destination.ts';
import type { DeliveryTarget } from '../domain/endpoint.ts';
import { parseSigningKey } from '../signing/signing-key.ts';
import { checkCustomHeaders } from './custom-headers.ts';
import { compileEgressPolicy } from './egress-policy.ts';
import { checkEndpointUrl } from './endpoint-url.ts';
import { type HttpRequest, prepare } from './prepare.ts';

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const keys = [parseSigningKey(secret)];
const target = (changes: Partial<DeliveryTarget> = {}): DeliveryTarget => ({
  num: 1,
  id: 'ep_1',
  tenantNum: 1,
  tenantId: 'tenant_1',
  destination: { type: 'http', url: 'https://example.com:8443/hooks?a=b' },
  enabled: true,
  deleted: false,
  headers: {},
  secrets: [secret],
  format: 'native',
  awaitsValidation: false,
  requestOrigin: null,
  retryScheduleMs: [0],
  timeoutMs: 15_000,
  maxInFlight: 1,
  rateLimit: null,
  onDeadLetter: 'continue',
  version: 1,
  ...changes,
});
const delivery = {
  deliveryId: 'dlv_1',
  eventId: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  attempt: 3,
  body: Buffer.from('{"test": 2432232314}'),
  event: Buffer.from('{"id":"evt_1","type":"order.paid","subject":"order-7","data":{}}'),
};
const prepared = (changes: Partial<DeliveryTarget> = {}) =>
  prepare(target(changes), keys, delivery, 1614265330, 'Posthorn/0.1.0') as HttpRequest;
const at = (url: string): Partial<DeliveryTarget> => ({ destination: { type: 'http', url } });
const headersOf = (changes: Partial<DeliveryTarget> = {}) => {
  const { headers } = prepared(changes);
  return Object.fromEntries(
    headers.flatMap((name, at) => (at % 2 === 0 ? [[name.toLowerCase(), headers[at + 1]]] : [])),
  );
};

test('a request carries exactly the headers of the contract, signed as Standard Webhooks says', () => {
  expect(headersOf()).toEqual({
    'content-type': 'application/json',
    'user-agent': 'Posthorn/0.1.0',
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    'posthorn-delivery-id': 'dlv_1',
    'posthorn-attempt': '3',
  });
});

test('the URL is split into origin and path with its query', () => {
  expect(prepared()).toMatchObject({
    origin: 'https://example.com:8443',
    path: '/hooks?a=b',
    timeoutMs: 15_000,
    body: delivery.body,
  });
});

test("an endpoint's own headers are added, and override none of ours", () => {
  const headers = JSON.parse(
    '{"X-Key":"k","Host":"evil","content-length":"1","Webhook-Id":"x","Content-Type":"text/plain","bad":"a\\r\\nb","__proto__":"p"}',
  ) as Record<string, string>;
  const found = headersOf({ headers });
  expect(found).toMatchObject({ 'x-key': 'k', 'webhook-id': delivery.eventId, 'content-type': 'application/json' });
  expect(Object.keys(found).sort()).toEqual([...Object.keys(headersOf()), 'x-key'].sort());
});

test('a target is read once, and another version of it anew', () => {
  const first = target({ headers: { 'x-a': '1' } });
  prepare(first, keys, delivery, 1, 'A');
  expect(prepare(first, keys, delivery, 1, 'B').headers).toContain('B');
  const other = prepare({ ...first, ...at('http://other.example/') }, keys, delivery, 1, 'A');
  expect(other).toMatchObject({ origin: 'http://other.example' });
});

test('a URL that is not http or https becomes a request that is never sent', () => {
  for (const url of ['', 'nonsense', 'ftp://example.com/', 'file:///etc/passwd'])
    expect(prepared(at(url)).origin, url).toBe('');
});

const kafka: KafkaDestination = {
  type: 'kafka',
  ...{ brokers: ['b.example:9092'], topic: 'events', key: 'subject', tls: true, ca: null, sasl: null },
};
const rabbitmq: RabbitmqDestination = {
  type: 'rabbitmq',
  ...{ hosts: ['r.example:5671'], vhost: '/', exchange: 'events', routing: { from: 'type' }, tls: true, ca: null },
  ...{ username: 'u', password: 'p' },
};

test('a message for a broker has the body and the signed headers of an HTTP request, and a key', () => {
  const http = prepared({ headers: { 'x-a': '1' } });
  const message = prepare(target({ destination: kafka, headers: { 'x-a': '1' } }), keys, delivery, 1614265330, 'P/1');
  expect(message).toMatchObject({ type: 'kafka', key: 'order-7', body: http.body, tenantNum: 1, timeoutMs: 15_000 });
  const agent = http.headers.indexOf('user-agent');
  expect(message.headers).toEqual(http.headers.toSpliced(agent, 2));
});

test.each([
  [{ from: 'type' }, 'order.paid'],
  [{ from: 'subject' }, 'order-7'],
  [{ from: 'tenant' }, 'tenant_1'],
  [{ key: 'fixed' }, 'fixed'],
] as const)('with %j the routing key is %s', (routing, routingKey) => {
  const message = prepare(target({ destination: { ...rabbitmq, routing } }), keys, delivery, 1, 'P/1');
  expect(message).toMatchObject({ type: 'rabbitmq', routingKey });
});

/** Why undici refuses a request before it even connects; null when it does not. */
function refusalOf(request: ReturnType<typeof prepared>): string | null {
  let refusal: string | null = null;
  const client = new Client('http://127.0.0.1', { connect: () => {} });
  const handler = {
    onRequestStart() {},
    onResponseStart() {},
    onResponseData() {},
    onResponseEnd() {},
    onResponseError(_: unknown, error: Error) {
      refusal = error.message;
    },
  };
  client.dispatch({ ...request, origin: 'http://127.0.0.1', method: 'POST' }, handler);
  const found = refusal;
  void client.destroy();
  return found;
}

test('whatever may be written as URL and headers, undici accepts the request', () => {
  const policy = compileEgressPolicy({});
  const header = fc.tuple(
    fc.string({ unit: 'binary-ascii', maxLength: 8 }),
    fc.string({ unit: 'binary', maxLength: 8 }),
  );
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'binary-ascii' }),
      fc.array(header, { maxLength: 4 }),
      (path, query, pairs) => {
        const url = checkEndpointUrl(policy, `https://example.com/${path}?${query}`);
        const headers = Object.fromEntries(
          pairs.filter(([name, value]) => checkCustomHeaders({ [name]: value }).length === 0),
        );
        expect(refusalOf(prepared(url.ok ? { ...at(url.href), headers } : { headers }))).toBeNull();
      },
    ),
    { numRuns: 300 },
  );
});
