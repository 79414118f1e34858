import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { verifySignature } from '../../src/signing/verify-signature.ts';
import { parseVerifyingKey } from '../../src/signing/verifying-key.ts';
import { call } from '../support/api.ts';
import type { ReceivedRequest } from '../support/receiver.ts';
import { type ReceiverPaths, statuses } from '../support/receiver-paths.ts';
import { createEndpoint, openApiAndWorker, type Stage } from '../support/stage.ts';

let stage: Stage;
let receiver: ReceiverPaths;
let api: string;

beforeAll(async () => {
  ({ stage, receiver, api } = await openApiAndWorker());
});

afterAll(() => stage.close());

/** Throws unless the request verifies with both reference libraries and with ours. */
function expectVerified({ headers, body }: ReceivedRequest, secret: string): void {
  const received = headers as Record<string, string>;
  expect(new StandardWebhook(secret).verify(body.toString(), received)).toEqual(JSON.parse(body.toString()));
  expect(() => new SvixWebhook(secret).verify(body.toString(), received)).not.toThrow();
  expect(verifySignature([parseVerifyingKey(secret)], headers, body)).toMatchObject({
    ok: true,
    id: headers['webhook-id'],
  });
}

test('an event posted to one process is delivered by another, body and headers as in the contract', async () => {
  const { secret } = await createEndpoint(
    api,
    { url: receiver.url('/whole?a=1'), headers: { 'x-ours': 'yes' } },
    'whole',
  );
  const posted = await call(api, 'POST', '/v1/events', {
    metadata: { source: 'subscription-service', idempotency_key: 'idem_xyz789' },
    data: { plan: 'gold', price: 1.1 },
    correlation_id: 'corr_abc123',
    tenant_id: 'whole',
    timestamp: '2024-03-14T10:30:00Z',
    version: '1.0',
    type: 'subscription.created',
    id: 'evt_1234567890',
  });
  expect(posted).toMatchObject({ status: 202, body: { id: 'evt_1234567890', status: 'accepted', deliveries: 1 } });
  const [request] = await receiver.received('/whole?a=1', 1);
  expect(request!.body.toString()).toBe(
    '{"id":"evt_1234567890","type":"subscription.created","version":"1.0","timestamp":"2024-03-14T10:30:00Z",' +
      '"tenant_id":"whole","correlation_id":"corr_abc123","data":{"plan":"gold","price":1.1},' +
      '"metadata":{"source":"subscription-service","idempotency_key":"idem_xyz789"}}',
  );
  expect(request!.headers).toEqual({
    host: new URL(receiver.url('/')).host,
    connection: expect.any(String),
    'content-length': String(request!.body.length),
    'content-type': 'application/json',
    'user-agent': expect.stringMatching(/^Posthorn\/\d+\.\d+\.\d+$/),
    'webhook-id': 'evt_1234567890',
    'webhook-timestamp': expect.stringMatching(/^\d{10}$/),
    'webhook-signature': expect.stringMatching(/^v1,[A-Za-z0-9+/]{43}=$/),
    'posthorn-delivery-id': expect.stringMatching(/^dlv_[0-9a-z]{32}$/),
    'posthorn-attempt': '1',
    'x-ours': 'yes',
  });
  expectVerified(request!, secret);
});

test('a retry carries the same id and body, its own number, and a signature that verifies', async () => {
  const { secret } = await createEndpoint(api, { url: receiver.url('/retried'), retry_schedule: [0, 0, 0] }, 'retried');
  receiver.behave('/retried', statuses(500, 503, 204));
  const { body } = await call(api, 'POST', '/v1/events', { type: 'a.b', tenant_id: 'retried', data: {} });
  const requests = await receiver.received('/retried', 3);
  for (const request of requests) expectVerified(request, secret);
  expect(requests.map(({ headers }) => headers['posthorn-attempt'])).toEqual(['1', '2', '3']);
  expect(new Set(requests.map(({ headers }) => headers['webhook-id']))).toEqual(new Set([body.id]));
  expect(new Set(requests.map((request) => request.body.toString())).size).toBe(1);
});

test('while a secret is rotated a delivery verifies with the old one and with the new one, and afterwards only with the new', async () => {
  const { id, secret: old } = await createEndpoint(api, { url: receiver.url('/rotated') }, 'rotated');
  const rotate = (overlap: number) =>
    call(api, 'POST', `/v1/tenants/rotated/endpoints/${id}/secret/rotate`, { overlap_seconds: overlap });
  const post = () => call(api, 'POST', '/v1/events', { type: 'a.b', tenant_id: 'rotated', data: {} });
  await post();
  expectVerified((await receiver.received('/rotated', 1))[0]!, old);
  const { secret: second } = (await rotate(3600)).body;
  await post();
  const during = (await receiver.received('/rotated', 2))[1]!;
  expectVerified(during, old);
  expectVerified(during, second);
  const { secret: third } = (await rotate(0)).body;
  await post();
  const after = (await receiver.received('/rotated', 3))[2]!;
  expectVerified(after, third);
  for (const expired of [old, second])
    expect(() => new StandardWebhook(expired).verify(after.body.toString(), after.headers as never)).toThrow();
});

test('an endpoint that wants v1a gets Ed25519 signatures that verify with its public key', async () => {
  const endpoint = await createEndpoint(api, { url: receiver.url('/asymmetric'), signature: 'v1a' }, 'asymmetric');
  await call(api, 'POST', '/v1/events', { type: 'a.b', tenant_id: 'asymmetric', data: {} });
  const [{ headers, body } = expect.fail()] = await receiver.received('/asymmetric', 1);
  expect(headers['webhook-signature']).toMatch(/^v1a,/);
  const keys = [parseVerifyingKey(endpoint.public_key!)];
  expect(verifySignature(keys, headers, body)).toMatchObject({ ok: true });
  expect(verifySignature(keys, headers, `${body} `).ok).toBe(false);
});
