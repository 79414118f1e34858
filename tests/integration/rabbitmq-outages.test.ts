import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from 'rabbitmq-client';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { call } from '../support/api.ts';
import { consumeRabbitmq, isRunning } from '../support/consume-rabbitmq.ts';
import { destinationCalls } from '../support/destinations.ts';
import { eventually } from '../support/eventually.ts';
import {
  hasRabbitmq,
  type RabbitmqProcess,
  requireRabbitmq,
  startRabbitmqProcess,
} from '../support/rabbitmq-process.ts';
import { startTestService, type TestService } from '../support/test-service.ts';
import { type Channel, withRabbitmqChannel } from '../support/with-rabbitmq-channel.ts';

// What other files would notice of a broker that they share: here it is stopped, killed, frozen and set otherwise.
let rabbitmq: RabbitmqProcess;
let service: TestService;
let calls: ReturnType<typeof destinationCalls>;

beforeEach(requireRabbitmq);
beforeAll(async () => {
  if (!hasRabbitmq()) return;
  [rabbitmq, service] = await Promise.all([startRabbitmqProcess(), startTestService({ worker: true, ingest: true })]);
  calls = destinationCalls(service.baseUrl, 'acme');
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
});
afterAll(() => Promise.all([rabbitmq?.close(), service?.stop()]));

const withChannel = <T>(use: (channel: Channel) => Promise<T>) => withRabbitmqChannel(rabbitmq.url, use);

/** An exchange with a queue, both of this name, for everything. */
async function bind(name: string): Promise<void> {
  await withChannel(async (channel) => {
    await channel.exchangeDeclare({ exchange: name, type: 'topic', durable: true });
    await channel.queueDeclare({ queue: name, durable: true });
    await channel.queueBind({ exchange: name, queue: name, routingKey: '#' });
  });
}

const soon = { retry_schedule: [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], timeout_seconds: 20 };

/** An endpoint that gets events of `<exchange>.*` into an exchange of this name. */
async function endpointTo(exchange: string, settings: object = {}) {
  await bind(exchange);
  const { port, username, password } = rabbitmq;
  const destination = { type: 'rabbitmq', hosts: [`127.0.0.1:${port}`], tls: false, exchange, username, password };
  return calls.create({ destination, subscriptions: [{ types: [`${exchange}.*`] }], ...soon, ...settings });
}

/** Publishes over connections that come and go, as the broker does. */
async function send(routingKey: string, texts: readonly string[]): Promise<void> {
  await withChannel(async (channel) => {
    await channel.confirmSelect();
    await Promise.all(texts.map((text) => channel.basicPublish({ routingKey, durable: true }, Buffer.from(text))));
  });
}

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => String(from + i));

test('F59: a broker that is stopped in order: attempts say so and the breaker opens; when it is back everything arrives, and a consumer is back by itself', async () => {
  const endpoint = await endpointTo('outage');
  const { consumer, queue, texts } = consumeRabbitmq(rabbitmq.url, () => delay(5));
  await isRunning(consumer);
  await rabbitmq.settle();
  await send(queue, numbers(50));
  await rabbitmq.stop();
  const events = await Promise.all(Array.from({ length: 12 }, () => calls.post({ type: 'outage.sent' })));
  await eventually(
    () => calls.stats(endpoint),
    (stats) => stats.breaker.state === 'open',
  );
  const tried = (await calls.attempts(events[0]!, endpoint))[0]!;
  expect(tried).toMatchObject({ outcome: 'refused', status: null, response: null });
  await rabbitmq.start();
  await call(service.baseUrl, 'POST', `${endpoint.path}/breaker/reset`);
  for (const event of events) await calls.settled(event, endpoint, 'delivered');
  await eventually(
    async () => new Set(texts()).size,
    (size) => size === 50,
  );
});

test('a destination whose broker hangs costs an attempt its time and no more', async () => {
  const endpoint = await endpointTo('frozen', { timeout_seconds: 1 });
  await calls.settled(await calls.post({ type: 'frozen.before' }), endpoint, 'delivered');
  const thaw = rabbitmq.freeze();
  onTestFinished(thaw);
  const eventId = await calls.post({ type: 'frozen.during' });
  const [attempt] = await calls.attempts(eventId, endpoint).finally(thaw);
  expect(attempt).toMatchObject({ outcome: 'timeout', detail: expect.stringContaining('within 1 s') });
  await calls.settled(eventId, endpoint, 'delivered');
});

test('a broker that blocks publishers is named as the reason and delivered to afterwards, and a consumer acknowledges meanwhile', async () => {
  const endpoint = await endpointTo('blocked', { timeout_seconds: 2 });
  await calls.settled(await calls.post({ type: 'blocked.before' }), endpoint, 'delivered');
  const { consumer, queue, taken } = consumeRabbitmq(rabbitmq.url, () => {});
  await isRunning(consumer);
  consumer.pause();
  await eventually(
    () => withChannel((channel) => channel.queueDeclare({ queue, passive: true })),
    ({ consumerCount }) => consumerCount === 0,
  );
  await send(queue, numbers(5));
  await rabbitmq.alarm(true);
  try {
    const eventId = await calls.post({ type: 'blocked.during' });
    // It is told with the first message that comes to a connection, which may be too late for that one.
    await eventually(
      () => calls.attempts(eventId, endpoint, 2),
      (attempts) =>
        attempts.some(({ outcome, detail }) => outcome === 'timeout' && detail?.includes('takes no messages')),
    );
    consumer.resume();
    await eventually(
      async () => taken.length,
      (length) => length === 5,
    );
    await eventually(
      async () => consumer.state().lag[0]!.messages,
      (messages) => messages === 0,
    );
    await rabbitmq.alarm(false);
    await calls.settled(eventId, endpoint, 'delivered');
  } finally {
    await rabbitmq.alarm(false);
  }
  await send(queue, ['after']);
  await eventually(
    async () => taken.length,
    (length) => length === 6,
  );
});

const PICKY = [
  ['known', 'bad 1'],
  ['unknown', 'bad 2'],
  ['known', 'bad 3'],
  ['known', 'x'.repeat(9_000)],
  ['known', 'bad 5'],
] as const;

test('dead letters that no queue or the broker takes stay with the reason; the others are published, and not over and over', async () => {
  // Channels that are older than the setting take what is larger.
  const connection = new Connection(rabbitmq.url);
  connection.on('error', () => {});
  onTestFinished(() => connection.unsafeDestroy());
  const channel = await connection.acquire();
  await channel.confirmSelect();
  await channel.exchangeDeclare({ exchange: 'picky', type: 'direct', durable: true });
  await channel.queueDeclare({ queue: 'picky', durable: true });
  await channel.queueBind({ exchange: 'picky', queue: 'picky', routingKey: 'known' });
  await channel.exchangeDeclare({ exchange: 'in', type: 'fanout', durable: true });
  const { body: source } = await call(service.baseUrl, 'POST', '/v1/sources', {
    type: 'rabbitmq',
    name: 'picky-in',
    tenant_id: 'acme',
    connection: { url: rabbitmq.url },
    consume: { exchange: { name: 'in', type: 'fanout' }, bindings: [{}], queue: { name: 'picky-in' } },
    mapping: { format: 'envelope' },
    on_rejected: { dead_letter_exchange: 'picky' },
  });
  const path = `/v1/sources/${source.id}`;
  const state = async () => (await call(service.baseUrl, 'GET', path)).body;
  await eventually(state, ({ consumers }) => consumers[0]?.state === 'running');
  const publishTo = (routingKey: string, body: string) =>
    channel.basicPublish({ exchange: 'in', routingKey, durable: true }, Buffer.from(body));
  await rabbitmq.ctl('eval', 'application:set_env(rabbit, max_message_size, 5000).');
  try {
    await call(service.baseUrl, 'POST', `${path}/pause`);
    for (const [key, body] of PICKY) await publishTo(key, body);
    await call(service.baseUrl, 'POST', `${path}/resume`);
    const rejected = async () => (await call(service.baseUrl, 'GET', `${path}/rejected`)).body.data;
    const isRefused = (row: { dead_letter_error: unknown }) => row.dead_letter_error !== null;
    const rows = await eventually(
      rejected,
      (found) => found?.length === PICKY.length && found.filter(isRefused).length === 2,
    );
    const errors = rows.map((row: { dead_letter_error: string | null }) => row.dead_letter_error).reverse();
    expect(errors).toEqual([
      null,
      expect.stringContaining('has no queue'),
      null,
      expect.stringContaining('max size'),
      null,
    ]);
  } finally {
    await rabbitmq.ctl('eval', 'application:unset_env(rabbit, max_message_size).');
  }
  const published: string[] = [];
  const take = async () => {
    for (;;) {
      const message = await channel.basicGet({ queue: 'picky', noAck: true });
      if (message === undefined) return published;
      published.push(message.body.toString());
    }
  };
  // One that is refused ends the channel for those that were sent with it, and these are sent again: at least once.
  await eventually(take, (bodies) => new Set(bodies).size === 3);
  expect(new Set(published)).toEqual(new Set(['bad 1', 'bad 3', 'bad 5']));
  published.length = 0;
  await publishTo('known', 'bad 6');
  await eventually(take, (bodies) => bodies.length > 0);
  expect(published).toEqual(['bad 6']);
});

test('F59: a broker that is killed has what it confirmed, and a consumer comes back by itself then and after it was frozen, with nothing lost', async () => {
  const source = { connection: { url: rabbitmq.url, heartbeat_seconds: 1 } };
  const { consumer, queue, texts } = consumeRabbitmq(rabbitmq.url, () => delay(5), {}, source);
  await isRunning(consumer);
  const kept = { queue: 'kept', durable: true, arguments: { 'x-queue-type': 'quorum' } } as const;
  await withChannel((channel) => channel.queueDeclare(kept));
  await rabbitmq.settle();
  await send('kept', ['x']);
  await send(queue, numbers(100));
  await rabbitmq.crash();
  await eventually(
    async () => consumer.state().kind,
    (kind) => kind === 'failing',
  );
  await rabbitmq.start();
  // A queue of a server that has just started may not have its leader yet; what was asked of it meanwhile comes back to it.
  const body = () =>
    withChannel(async (channel) => {
      await channel.queueDeclare(kept);
      return (await channel.basicGet('kept'))?.body.toString();
    }).catch(() => undefined);
  expect(await eventually(body, (text) => text !== undefined)).toBe('x');
  await eventually(
    async () => new Set(texts()).size,
    (size) => size === 100,
  );
  await isRunning(consumer);
  const thaw = rabbitmq.freeze();
  onTestFinished(thaw);
  await eventually(
    async () => consumer.state(),
    ({ kind }) => kind === 'failing',
  );
  thaw();
  await isRunning(consumer);
  await send(queue, ['end']);
  await eventually(
    async () => texts().includes('end'),
    (isThere) => isThere,
  );
});
