import type { ServerResponse } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { deliveryIdOf } from '../../src/domain/ids.ts';
import { endDeliveriesOfDroppedDays } from '../../src/store/give-up.ts';
import { ensurePartitions } from '../../src/store/partitions.ts';
import { dropOldPartitions } from '../../src/store/retention.ts';
import type { SettledAttempt } from '../../src/store/settle.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { logAttempt, logEvent, logPaused, makeEndpoint, makeTenant } from '../support/log-fixture.ts';
import { queueReplays, replayerOf } from '../support/queue-replays.ts';
import { startReceiver } from '../support/receiver.ts';
import { startTestService, type TestService } from '../support/test-service.ts';
import { uuidAt } from '../support/uuid-at.ts';

const OLD_MS = Date.now() - 3 * 86_400_000;
const ORDERED = { order: 'endpoint', on_dead_letter: 'pause', retry_schedule: [0] };

async function startService(options = {}): Promise<TestService> {
  const service = await startTestService(options);
  onTestFinished(() => service.stop());
  return service;
}

const advance = ({ context }: TestService) => queueReplays(replayerOf(context.workerPool));

/** An ordered endpoint that waits for a dead letter, with an event behind it. */
async function pausedAt(atMs: number) {
  const service = await startService();
  const { workerPool } = service.context;
  await ensurePartitions(workerPool, atMs, 0);
  const tenant = await makeTenant(service, 'acme');
  const endpoint = await makeEndpoint(service, tenant, ORDERED);
  const uuid = uuidAt(atMs);
  const dead = await logEvent(service, tenant, 'order.created', uuid);
  await logAttempt(service, tenant, dead, endpoint, 1, 'rejected', 'deadLetter');
  const behind = await logPaused(service, tenant, dead, endpoint);
  const query = async (text: string) => (await workerPool.query(text)).rows;
  return {
    service,
    endpoint,
    tenant,
    dead,
    ask: (method: string, path: string, body?: unknown) =>
      call(service.baseUrl, method, `/v1/tenants/acme${path}`, body),
    pauses: () => query('SELECT event_id, seq::int, paused_at FROM paused_keys'),
    mailbox: () => query('SELECT event_id, parked FROM mailbox ORDER BY seq'),
    first: { event_id: dead, parked: false },
    second: { event_id: behind, parked: true },
  };
}

test('G5: the key of a redriven dead letter whose replay is cancelled waits for a person as before', async () => {
  const { service, ask, pauses, mailbox, first, second } = await pausedAt(Date.now());
  const before = await pauses();
  const { body } = await ask('POST', '/dead-letters/redrive', {});
  await advance(service);
  expect([await pauses(), await mailbox()]).toEqual([[], [first, second]]);
  await ask('DELETE', `/replays/${body.id}`);
  expect([await pauses(), await mailbox()]).toEqual([before, [second]]);
  await ask('POST', '/dead-letters/redrive', {});
  await advance(service);
  expect([await pauses(), await mailbox()]).toEqual([[], [first, second]]);
});

test('nothing waits for a redriven dead letter whose replay is cancelled when the endpoint was told to go on meanwhile', async () => {
  const { service, ask, endpoint, pauses, mailbox, second } = await pausedAt(Date.now());
  const { body } = await ask('POST', '/dead-letters/redrive', {});
  await advance(service);
  await ask('PATCH', `/endpoints/${endpoint.id}`, { on_dead_letter: 'continue' });
  await ask('DELETE', `/replays/${body.id}`);
  expect([await pauses(), await mailbox()]).toEqual([[], [{ ...second, parked: false }]]);
});

const redriven = [
  { how: 'by a redrive', path: () => '/dead-letters/redrive' },
  { how: 'by its id', path: (id: string) => `/deliveries/${id}/retry` },
];

test.each(redriven)(
  'G5: a dead letter redriven $how whose day is dropped before it was delivered is one again, and its key waits for it',
  async ({ path }) => {
    const { service, endpoint, dead, ask, pauses, mailbox, second } = await pausedAt(OLD_MS);
    const before = await pauses();
    const { status } = await ask('POST', path(deliveryIdOf(dead, endpoint.num)), {});
    expect(status).toBe(202);
    await advance(service);
    await dropOldPartitions(service.context.workerPool, Date.now(), 1, 30);
    expect((await ask('GET', '/dead-letters')).body.data).toHaveLength(1);
    expect([await pauses(), await mailbox()]).toEqual([before, [second]]);
  },
);

const endings = [
  { how: 'was refused', outcome: { kind: 'rejected' }, decision: { kind: 'dead_letter' }, waits: true },
  { how: 'was delivered', outcome: { kind: 'delivered' }, decision: { kind: 'done' }, waits: false },
];

test.each(endings)(
  'G5: where the day of a redriven dead letter is dropped while it is sent, and it $how, its key waits for it: $waits',
  async ({ outcome, decision, waits }) => {
    const { service, endpoint, tenant, dead, ask, pauses, mailbox, second } = await pausedAt(OLD_MS);
    const before = await pauses();
    await ask('POST', '/dead-letters/redrive', {});
    await advance(service);
    const attempt = {
      eventUuid: dead,
      endpointNum: endpoint.num,
      tenantNum: tenant.num,
      attempt: 2,
      outcome,
      decision,
    };
    await endDeliveriesOfDroppedDays(service.context.workerPool, [attempt as unknown as SettledAttempt]);
    expect([await pauses(), await mailbox()]).toEqual([waits ? before : [], [{ ...second, parked: waits }]]);
  },
);

/** A dead letter with an event behind it, redriven and held by its receiver, whose replay is cancelled then. */
async function cancelledInFlight() {
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  const held = Promise.withResolvers<ServerResponse>();
  receiver.behave((_request, response, index) => {
    if (index === 1) held.resolve(response);
    else response.writeHead(index === 0 ? 500 : 204).end();
  });
  const service = await startService({ worker: true });
  const tenant = await makeTenant(service, 'acme');
  const { id } = await makeEndpoint(service, tenant, { ...ORDERED, url: receiver.url });
  const ask = (method: string, path: string, body?: unknown) =>
    call(service.baseUrl, method, `/v1/tenants/acme${path}`, body);
  const events = [0, 1].map((n) => ({ type: 'a.b', tenant_id: 'acme', data: { n } }));
  const { body: accepted } = await call(service.baseUrl, 'POST', '/v1/events', events);
  const ids: string[] = accepted.items.map((item: { id: string }) => item.id);
  const pauses = async () => (await ask('GET', `/endpoints/${id}/paused-keys`)).body.data;
  await eventually(pauses, (keys) => keys.length === 1);
  const { body: redrive } = await ask('POST', '/dead-letters/redrive', {});
  const response = await held.promise;
  expect(await pauses()).toEqual([]);
  await ask('DELETE', `/replays/${redrive.id}`);
  expect(await pauses()).toHaveLength(1);
  const attempts = async () => (await ask('GET', `/deliveries?event_id=${ids[0]}`)).body.data[0];
  const sent = () => receiver.requests.map(({ headers }) => ids.indexOf(String(headers['webhook-id'])));
  return { service, ask, receiver, response, pauses, attempts, sent };
}

test('G5: a request that is under way when its redrive is cancelled, and is refused, lets nothing pass the dead letter', async () => {
  const { service, response, pauses, attempts, sent } = await cancelledInFlight();
  response.writeHead(500).end();
  expect(await eventually(attempts, (delivery) => delivery.attempts === 2)).toMatchObject({ status: 'dead_lettered' });
  expect(await pauses()).toHaveLength(1);
  const { rows } = await service.context.workerPool.query('SELECT parked FROM mailbox');
  expect([rows, sent()]).toEqual([[{ parked: true }], [0, 0]]);
});

test('G5: a request that is under way when its redrive is cancelled, and is taken, lets go what stands behind it', async () => {
  const { receiver, response, pauses, sent } = await cancelledInFlight();
  response.writeHead(204).end();
  await receiver.received(3);
  expect([await pauses(), sent()]).toEqual([[], [0, 0, 1]]);
});

test('a dead letter that its receiver takes after its redrive was cancelled is delivered, and no dead letter: to be counted, listed or redriven', async () => {
  const { service, ask, receiver, response, attempts } = await cancelledInFlight();
  response.writeHead(204).end();
  const delivery = await eventually(attempts, (each) => each.attempts === 2);
  expect(delivery).toMatchObject({ status: 'delivered', last_attempt: { number: 2, outcome: 'delivered' } });
  expect((await ask('GET', '/dead-letters')).body.data).toEqual([]);
  expect((await ask('GET', '/dead-letters/stats')).body).toMatchObject({ total: 0 });
  for (const status of ['dead_lettered', 'delivered']) {
    const { data } = (await ask('GET', `/deliveries?status=${status}&event_id=${delivery.event_id}`)).body;
    expect(data).toHaveLength(status === 'delivered' ? 1 : 0);
  }
  const { body } = await ask('POST', '/dead-letters/redrive', {});
  await advance(service);
  expect((await ask('GET', `/replays/${body.id}`)).body).toMatchObject({ matched: 0 });
  await receiver.received(3);
});

test('a dead letter that is redriven again while the request of its cancelled redrive is under way is sent once, where that is taken', async () => {
  const { service, ask, receiver, response, attempts, pauses, sent } = await cancelledInFlight();
  const { body } = await ask('POST', '/dead-letters/redrive', {});
  await eventually(
    () => service.context.workerPool.query('SELECT FROM mailbox WHERE replay_num IS NOT NULL'),
    ({ rowCount }) => rowCount === 1,
  );
  response.writeHead(204).end();
  await receiver.received(3);
  const { body: redrive } = await eventually(
    () => ask('GET', `/replays/${body.id}`),
    (answer) => answer.body.state === 'completed',
  );
  expect(redrive).toMatchObject({ matched: 1, done: 1 });
  expect(await attempts()).toMatchObject({ status: 'delivered', attempts: 2 });
  expect([await pauses(), sent()]).toEqual([[], [0, 0, 1]]);
});
