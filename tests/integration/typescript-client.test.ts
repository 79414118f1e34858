import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type NewEvent, Posthorn, PosthornError, SendError } from '../../clients/typescript/src/index.ts';
import { parseVerifyingKey, verifySignature } from '../../clients/typescript/src/webhooks.ts';
import { startCuttingProxy } from '../support/cutting-proxy.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { startTestService, type TestService } from '../support/test-service.ts';
import { OPERATOR_KEY } from '../support/test-settings.ts';

let service: TestService;
let receiver: Receiver;
let operator: Posthorn;

beforeAll(async () => {
  [service, receiver] = await Promise.all([startTestService({ worker: true }), startReceiver()]);
  operator = new Posthorn({ url: service.baseUrl, key: OPERATOR_KEY });
});

afterAll(async () => {
  await service.stop();
  await receiver.close();
});

type Limits = NonNullable<Parameters<typeof operator.request<'POST /v1/tenants'>>[1]>['body'];

/** A tenant, and a client that has its key. */
async function openTenant(id: string, more: Limits = {}, url = service.baseUrl, through = fetch) {
  await operator.request('POST /v1/tenants', { body: { id, ...more } });
  const { key } = await operator.request('POST /v1/tenants/{tenant_id}/keys', { params: { tenant_id: id } });
  return new Posthorn({ url, key, maxAttempts: 50, fetch: through });
}

const params = (tenant_id: string) => ({ params: { tenant_id } });
const event = (type: string, more: Partial<NewEvent> = {}): NewEvent => ({ type, data: {}, ...more });

async function storedIds(tenant: string): Promise<string[]> {
  const ids: string[] = [];
  const query = { limit: 7 };
  for await (const { id } of operator.list('GET /v1/tenants/{tenant_id}/events', { ...params(tenant), query }))
    ids.push(id);
  return ids;
}

/** What `send` says became of each event when not all were stored. */
async function failedSend(client: Posthorn, events: readonly NewEvent[]): Promise<SendError> {
  const error = await client.send(events).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(SendError);
  return error as SendError;
}

test('every event is stored and delivered exactly once although connections are cut at random', async () => {
  // Full jitter, at its least: the next try comes at once.
  const random = vi.spyOn(Math, 'random').mockReturnValue(0);
  const proxy = await startCuttingProxy(service.baseUrl);
  try {
    const client = await openTenant('cut', {}, proxy.url);
    const { secret } = await operator.request('POST /v1/tenants/{tenant_id}/endpoints', {
      ...params('cut'),
      body: { url: receiver.url },
    });
    const singles = Array.from({ length: 20 }, (_, n) => client.send(event('cut.single', { data: { n } })));
    const arrays = Array.from({ length: 10 }, (_, n) =>
      client.send([0, 1, 2].map((i) => event('cut.batch', { data: { n, i } }))),
    );
    const stored = [...(await Promise.all(singles)), ...(await Promise.all(arrays)).flat()];
    const ids = stored.map(({ id }) => id).sort();
    expect(new Set(ids).size).toBe(50);
    expect(Object.values(proxy.counts).every((count) => count > 0)).toBe(true);
    // Those that had been stored when their answer was lost.
    expect(stored.some(({ status }) => status === 'duplicate')).toBe(true);
    expect((await storedIds('cut')).sort()).toEqual(ids);
    const requests = await receiver.received(50);
    expect(requests.map(({ headers }) => headers['webhook-id']).sort()).toEqual(ids);
    const keys = [parseVerifyingKey(secret)];
    for (const { headers, body } of requests) expect(verifySignature(keys, headers, body)).toMatchObject({ ok: true });
  } finally {
    random.mockRestore();
    await proxy.close();
  }
});

test('a tenant over its rate gets its events in when the server said so', async () => {
  let tries = 0;
  const counting: typeof fetch = (...request) => {
    tries++;
    return fetch(...request);
  };
  const limits = { events_per_second: 0.5, burst_events: 1 };
  const client = await openTenant('rate', { limits }, service.baseUrl, counting);
  const stored = [await client.send(event('a')), await client.send(event('b'))];
  expect(stored.map(({ status }) => status)).toEqual(['accepted', 'accepted']);
  expect(tries).toBeGreaterThanOrEqual(3);
});

test('an array that is more than a tenant may send at once goes in parts', async () => {
  const client = await openTenant('burst', { limits: { events_per_second: 1_000, burst_events: 5 } });
  const stored = await client.send(Array.from({ length: 10 }, (_, n) => event('burst', { id: `b${n}` })));
  expect(stored.map(({ id }) => id)).toEqual(Array.from({ length: 10 }, (_, n) => `b${n}`));
});

test('of an array with events that cannot be taken the others are stored, and each is told', async () => {
  const client = await openTenant('partial');
  await client.send(event('first', { id: 'known' }));
  const deep = JSON.parse(`${'['.repeat(200)}${']'.repeat(200)}`);
  const events = [
    event('fine', { id: 'e0' }),
    event('not a type', { id: 'e1' }),
    event('first', { id: 'known' }),
    event('other', { id: 'known', data: 1 }),
    event('large', { id: 'e4', data: 'x'.repeat(300_000) }),
    event('deep', { id: 'e5', data: deep }),
    event('elsewhere', { id: 'e6', tenant_id: 'rate' }),
    event('fine', { id: 'e7' }),
  ];
  const { outcomes } = await failedSend(client, events);
  const said = outcomes.map((outcome) =>
    'faults' in outcome ? [outcome.status, outcome.code, outcome.faults[0]?.path] : [outcome.status],
  );
  expect(said).toEqual([
    ['accepted'],
    ['refused', 'invalid_event', 'type'],
    ['duplicate'],
    ['refused', 'idempotency_conflict', ''],
    ['refused', 'too_large', ''],
    ['refused', 'too_deep', ''],
    ['undecided', 'tenant_not_found', 'tenant_id'],
    ['accepted'],
  ]);
  expect((await storedIds('partial')).sort()).toEqual(['e0', 'e7', 'known']);
});

test('an event that comes again, as an event or as text, is the same to the digit', async () => {
  const client = await openTenant('digits');
  const text = '{"id":"exact","type":"a","data":{"amount":1.0,"account":12345678901234567891}}';
  const [first] = await client.sendTexts([text]);
  expect(first).toMatchObject({ id: 'exact', status: 'accepted', text });
  expect(await client.send(first!.event)).toMatchObject({ id: 'exact', status: 'duplicate', text });
  expect(await client.sendTexts([first!.text])).toMatchObject([{ id: 'exact', status: 'duplicate' }]);
});

test('one event that is more than its tenant may send at once may be sent when it may', async () => {
  const client = await openTenant('narrow', { limits: { bytes_per_second: 1_000, burst_bytes: 1_000 } });
  const { outcomes } = await failedSend(client, [event('a', { data: 'x'.repeat(2_000) }), event('b')]);
  expect(outcomes.map((outcome) => [outcome.status, 'code' in outcome && outcome.code])).toEqual([
    ['undecided', 'over_burst'],
    ['accepted', false],
  ]);
});

test('a key that may not send is told once, and the events are there to be sent with another', async () => {
  const stranger = new Posthorn({ url: service.baseUrl, key: 'nobody' });
  const { outcomes, cause } = await failedSend(stranger, [event('a'), event('b')]);
  expect(outcomes.map(({ status }) => status)).toEqual(['undecided', 'undecided']);
  expect(cause).toMatchObject({ status: 401, code: 'unauthorized', requestId: expect.stringMatching(/^req_/) });
});

test('an aborted send leaves what it was about to be sent again, without a double', async () => {
  const client = await openTenant('abort');
  const signal = AbortSignal.abort(new Error('enough'));
  const error = await client.send([event('a'), event('b')], { signal }).catch((reason: SendError) => reason);
  if (!(error instanceof SendError)) throw new Error('It was sent.');
  await client.send(error.undecided);
  await client.send(error.undecided);
  expect(await storedIds('abort')).toHaveLength(2);
});

test('lists come whole, page by page', async () => {
  const client = await openTenant('pages');
  const events = Array.from({ length: 20 }, (_, n) => event('pages', { id: `p${n}` }));
  await client.send(events);
  expect((await storedIds('pages')).sort()).toEqual(events.map(({ id }) => id).sort());
});

test('refusals say what the problem document says, and what has no answer answers nothing', async () => {
  await openTenant('errors');
  const error = await operator.request('GET /v1/tenants/{tenant_id}', params('nobody')).catch((reason) => reason);
  expect(error).toBeInstanceOf(PosthornError);
  expect(error).toMatchObject({ status: 404, code: 'tenant_not_found' });
  const bad = operator.request('POST /v1/tenants/{tenant_id}/endpoints', { ...params('errors'), body: { url: 'no' } });
  await expect(bad).rejects.toMatchObject({ code: 'invalid', errors: [{ path: 'url', message: expect.any(String) }] });
  await expect(operator.request('POST /v1/tenants', { body: { id: 'errors' } })).rejects.toMatchObject({
    code: 'tenant_exists',
  });
  expect(await operator.request('DELETE /v1/tenants/{tenant_id}', params('errors'))).toBeUndefined();
  expect(await operator.request('GET /docs')).toContain('<html');
});
