import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { destinationCalls } from '../support/destinations.ts';
import { eventually } from '../support/eventually.ts';
import { hasRabbitmq, requireRabbitmq } from '../support/rabbitmq-process.ts';
import { type SharedRabbitmq, sharedRabbitmq } from '../support/shared-rabbitmq.ts';
import { startTestService, type TestService } from '../support/test-service.ts';
import { type Channel, withRabbitmqChannel } from '../support/with-rabbitmq-channel.ts';

let rabbitmq: SharedRabbitmq;
let service: TestService;
let calls: ReturnType<typeof destinationCalls>;

beforeEach(requireRabbitmq);
beforeAll(async () => {
  if (!hasRabbitmq()) return;
  [rabbitmq, service] = await Promise.all([sharedRabbitmq(), startTestService({ worker: true })]);
  calls = destinationCalls(service.baseUrl, 'acme');
});
afterAll(() => service?.stop());

const destination = (changes: object = {}) => ({
  type: 'rabbitmq',
  hosts: [`127.0.0.1:${rabbitmq.port}`],
  ...{ tls: false, exchange: 'destinations', username: rabbitmq.username, password: rabbitmq.password },
  ...changes,
});
const soon = { retry_schedule: [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], timeout_seconds: 20 };
const only = (type: string) => ({ subscriptions: [{ types: [type] }] });

const withChannel = <T>(use: (channel: Channel) => Promise<T>) => withRabbitmqChannel(rabbitmq.url, use);

/** A topic exchange with a queue for what has this routing key. */
async function bind(exchange: string, queue: string, routingKey: string): Promise<void> {
  await withChannel(async (channel) => {
    await channel.exchangeDeclare({ exchange, type: 'topic', durable: true });
    await channel.queueDeclare({ queue, durable: true });
    await channel.queueBind({ exchange, queue, routingKey });
  });
}

function take(queue: string) {
  const get = () => withChannel((channel) => channel.basicGet({ queue, noAck: true }));
  return eventually(get, (message) => message !== undefined).then((message) => message!);
}

test('a queue holds the event as an HTTP endpoint gets it, and its signature verifies', async () => {
  await bind('destinations', 'orders', 'order.#');
  const endpoint = await calls.create({
    destination: destination(),
    headers: { 'X-Team': 'blue' },
    ...only('order.*'),
  });
  const eventId = await calls.post({ type: 'order.paid', subject: 'order-7', data: { amount: '12.50', name: 'Zoë' } });
  const message = await take('orders');
  const headers = message.headers as Record<string, string>;
  // The client has parsed what says that it is JSON; the signature is over the bytes.
  const body = JSON.stringify(message.body);
  expect(new Webhook(endpoint.secret).verify(body, headers)).toMatchObject({ id: eventId, data: { name: 'Zoë' } });
  expect(message).toMatchObject({
    routingKey: 'order.paid',
    messageId: eventId,
    contentType: 'application/json',
    durable: true,
    headers: { 'webhook-id': eventId, 'posthorn-attempt': '1', 'content-type': 'application/json', 'X-Team': 'blue' },
  });
  await calls.settled(eventId, endpoint, 'delivered');
  const [attempt] = await calls.attempts(eventId, endpoint);
  expect(attempt).toMatchObject({
    ...{ outcome: 'delivered', status: null, detail: null },
    response: { headers: { exchange: 'destinations', 'routing-key': 'order.paid' } },
  });
  expect(headers['posthorn-delivery-id']).toMatch(/^dlv_/);
});

test('what no queue takes and what no exchange is there for is rejected, and the neighbours arrive', async () => {
  await bind('mixed', 'mixed', 'mix.known');
  const lost = await calls.create({ destination: destination({ exchange: 'absent' }), ...only('mix.*'), ...soon });
  const mixed = await calls.create({ destination: destination({ exchange: 'mixed' }), ...only('mix.*'), ...soon });
  const [unbound, ...known] = await Promise.all(
    ['mix.unknown', 'mix.known', 'mix.known', 'mix.known'].map((type) => calls.post({ type })),
  );
  for (const event of known) await calls.settled(event, mixed, 'delivered');
  expect((await calls.attempts(unbound!, mixed))[0]).toMatchObject({
    ...{ outcome: 'rejected', status: null, response: { headers: { code: 'NO_ROUTE' } } },
    detail: expect.stringContaining('no queue is bound'),
  });
  expect((await calls.attempts(unbound!, lost))[0]).toMatchObject({
    ...{ outcome: 'rejected', response: { headers: { code: 'NOT_FOUND' } } },
    detail: expect.stringContaining("no exchange 'absent'"),
  });
  for (const event of known) expect(await calls.attempts(event, mixed)).toHaveLength(1);
});

test('a wrong password is rejected, and no attempt, audit line or reading shows it', async () => {
  const password = 'not-the-password-1234';
  const endpoint = await calls.create({ destination: destination({ password }), ...only('login.*') });
  const eventId = await calls.post({ type: 'login.tried' });
  const attempts = await calls.attempts(eventId, endpoint);
  expect(attempts[0]).toMatchObject({ outcome: 'rejected', detail: expect.stringContaining('ACCESS_REFUSED') });
  const shown = await Promise.all([
    call(service.baseUrl, 'GET', endpoint.path),
    call(service.baseUrl, 'GET', '/v1/tenants/acme/audit'),
  ]);
  const stored = await service.context.apiPool.query('SELECT e::text FROM endpoints e');
  const text = JSON.stringify([attempts, shown.map(({ body }) => body), stored.rows, endpoint]);
  expect(text).not.toContain(password);
});

test('an ordered endpoint has its events in the queue in the order of their acceptance, and a replay brings them once more', async () => {
  await bind('destinations', 'line', 'line.#');
  const endpoint = await calls.create({ destination: destination(), order: 'endpoint', ...only('line.*') });
  const ids: string[] = [];
  for (let n = 0; n < 30; n++) ids.push(await calls.post({ type: 'line.moved', data: { n } }));
  const received = async () => {
    const taken: string[] = [];
    for (let n = 0; n < 30; n++) taken.push((await take('line')).messageId!);
    return taken;
  };
  expect(await received()).toEqual(ids);
  await calls.replay(endpoint, ids);
  expect((await received()).sort()).toEqual([...ids].sort());
});
