import { type Channel, Connection } from 'rabbitmq-client';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Refusal } from '../../src/domain/errors.ts';
import { consumeRabbitmq, isRunning } from '../support/consume-rabbitmq.ts';
import { eventually } from '../support/eventually.ts';
import { hasRabbitmq, requireRabbitmq } from '../support/rabbitmq-process.ts';
import { type SharedRabbitmq, sharedRabbitmq } from '../support/shared-rabbitmq.ts';

let rabbitmq: SharedRabbitmq;
let connection: Connection;
let channel: Channel;

beforeEach(requireRabbitmq);
beforeAll(async () => {
  if (!hasRabbitmq()) return;
  rabbitmq = await sharedRabbitmq();
  connection = new Connection({ url: rabbitmq.url, retryLow: 100, retryHigh: 200 });
  connection.on('error', () => {});
  channel = await connection.acquire();
  await channel.confirmSelect();
});
afterAll(() => connection?.unsafeDestroy());

const consume = (take: Parameters<typeof consumeRabbitmq>[1], consumed: object = {}, more: object = {}) =>
  consumeRabbitmq(rabbitmq.url, take, { ...consumed }, { ...more });

async function send(routingKey: string, texts: readonly string[], more: object = {}): Promise<void> {
  const sent = texts.map((text) => channel.basicPublish({ routingKey, durable: true, ...more }, Buffer.from(text)));
  await Promise.all(sent);
}

async function waiting(queue: string): Promise<number> {
  const other = await connection.acquire({ emitErrorsFromChannel: true });
  other.on('error', () => {});
  const { messageCount } = await other.queueDeclare({ queue, passive: true });
  await other.close();
  return messageCount;
}

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => String(from + i));

test('a body is taken as the bytes that came, whatever its content type says', async () => {
  const { consumer, queue, taken } = consume(() => {});
  await isRunning(consumer);
  const bodies = ['{"n":9007199254740993,"a":1,"a":2}', ' { "x" : 1e2 } ', '{"broken', '', 'text'];
  for (const body of bodies) await send(queue, [body], { contentType: 'application/json' });
  const invalid = Buffer.from([0xff, 0xfe, 0x7b]);
  await channel.basicPublish({ routingKey: queue, contentType: 'text/plain' }, invalid);
  await eventually(
    async () => taken.length,
    (length) => length === 6,
  );
  expect(taken.map(({ body }) => Buffer.from(body))).toEqual([...bodies.map((body) => Buffer.from(body)), invalid]);
  expect(taken[0]!.attributes.get('content_type')).toBe('application/json');
  expect(Buffer.from(taken[0]!.headers.get('content-type')!).toString()).toBe('application/json');
});

test('properties and headers are there for mappings, the routing key as the key', async () => {
  const { consumer, queue, taken } = consume(() => {});
  await isRunning(consumer);
  const headers = { tenant: 'acme', n: 7, yes: true, list: [1, 'x'] };
  const properties = {
    messageId: 'm-1',
    appId: 'shop',
    type: 'order.paid',
    correlationId: 'c-1',
    timestamp: 1_700_000_000,
    headers,
  };
  await channel.basicPublish({ routingKey: queue, ...properties }, Buffer.from('x'));
  await eventually(
    async () => taken.length,
    (length) => length === 1,
  );
  const [message] = taken;
  expect(message!.position).toMatch(new RegExp(`^${queue}/\\["","${queue}","shop","m-1","[\\w-]{43}"\\]$`));
  expect(Buffer.from(message!.key!).toString()).toBe(queue);
  expect(message!.timestampMs).toBe(1_700_000_000_000);
  expect(Object.fromEntries(message!.attributes)).toMatchObject({
    message_id: 'm-1',
    app_id: 'shop',
    type: 'order.paid',
    correlation_id: 'c-1',
    routing_key: queue,
    redelivered: 'false',
  });
  const read = Object.fromEntries([...message!.headers].map(([name, value]) => [name, Buffer.from(value).toString()]));
  expect(read).toEqual({ tenant: 'acme', n: '7', yes: 'true', list: '[1,"x"]' });
});

test('whole numbers in headers keep their digits, however large, wherever they stand', async () => {
  const { consumer, queue, taken } = consume(() => {});
  await isRunning(consumer);
  const large = [9_007_199_254_740_993n, 1_541_815_603_606_036_481n, -9_223_372_036_854_775_807n];
  const headers = { first: large[0], list: [{ deep: large[1] }, 1.5, 'x'], last: large[2], far: 1e20, small: -7 };
  const properties = { contentType: 'text/plain', contentEncoding: 'identity', messageId: 'm-1', headers };
  await channel.basicPublish({ routingKey: queue, ...properties }, Buffer.from('x'));
  await channel.basicPublish({ routingKey: queue, headers: { n: large[1], fine: true } }, Buffer.from(''));
  await eventually(
    async () => taken.length,
    (length) => length === 2,
  );
  const [one, other] = taken.map((message) =>
    Object.fromEntries([...message.headers].map(([name, value]) => [name, Buffer.from(value).toString()])),
  );
  expect(one).toEqual({
    first: '9007199254740993',
    list: '[{"deep":1541815603606036481},1.5,"x"]',
    last: '-9223372036854775807',
    far: '100000000000000000000',
    small: '-7',
    'content-type': 'text/plain',
  });
  expect(other).toEqual({ n: '1541815603606036481', fine: 'true' });
});

test.each([
  ['topic', [{ routing_key: 'orders.#' }], ['orders.paid.now', 'users.new', 'orders'], ['orders.paid.now', 'orders']],
  ['direct', [{ routing_key: 'a' }, { routing_key: 'b' }], ['a', 'b', 'c'], ['a', 'b']],
  ['fanout', [{}], ['a', ''], ['a', '']],
])('declares a %s exchange, a queue and what is between them', async (type, bindings, keys, expected) => {
  const exchange = `events-${type}`;
  const { consumer, taken } = consume(() => {}, { exchange: { name: exchange, type }, bindings });
  await isRunning(consumer);
  for (const routingKey of keys)
    await channel.basicPublish({ exchange, routingKey, durable: true }, Buffer.from(routingKey));
  await eventually(
    async () => taken.length,
    (length) => length === expected.length,
  );
  expect(taken.map(({ attributes }) => attributes.get('routing_key'))).toEqual(expected);
});

test('declares a headers exchange, and takes what its bindings compare', async () => {
  const exchange = { name: 'events-headers', type: 'headers' };
  const bindings = [
    { headers: { 'x-match': 'all', region: 'eu', level: 2 } },
    { headers: { 'x-match': 'any', urgent: true } },
  ];
  const { consumer, texts } = consume(() => {}, { exchange, bindings });
  await isRunning(consumer);
  const all = [{ region: 'eu', level: 2 }, { region: 'eu' }, { urgent: true, region: 'us' }, { urgent: false }];
  for (const [n, headers] of all.entries())
    await channel.basicPublish({ exchange: exchange.name, headers, durable: true }, Buffer.from(String(n)));
  await eventually(
    async () => texts().length,
    (length) => length === 2,
  );
  expect(texts()).toEqual(['0', '2']);
});

test('with declare false nothing is made: what is missing is said, and consumed once it is there', async () => {
  const declare = false;
  const exchange = { name: 'later', declare };
  const { consumer, queue, taken } = consume(() => {}, {
    exchange,
    queue: { declare },
    bindings: [{ routing_key: '#' }],
  });
  await eventually(
    async () => consumer.state(),
    ({ kind, error }) => kind === 'failing' && /no exchange 'later'/.test(error!),
  );
  await channel.exchangeDeclare({ exchange: 'later', type: 'topic', durable: true });
  await eventually(
    async () => consumer.state().error,
    (error) => /no queue/.test(error!),
  );
  await channel.queueDeclare({ queue, durable: true });
  await isRunning(consumer);
  await channel.basicPublish({ exchange: 'later', routingKey: 'x' }, Buffer.from('x'));
  await eventually(
    async () => taken.length,
    (length) => length === 1,
  );
});

test('nothing is acknowledged before it is durable, and no more than prefetch is held', async () => {
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const { consumer, queue, end, again, texts, taken } = consume(() => gate, { prefetch: 5 });
  await isRunning(consumer);
  await send(queue, numbers(20));
  await eventually(
    () => waiting(queue),
    (count) => count === 15,
  );
  await eventually(
    async () => consumer.state().lag[0]!.messages,
    (messages) => messages === 20,
  );
  await end();
  await eventually(
    () => waiting(queue),
    (count) => count === 20,
  );
  open();
  await eventually(
    async () => taken.length,
    () => true,
  );
  taken.splice(0);
  await isRunning(again().consumer);
  await eventually(
    async () => taken.length,
    (length) => length === 20,
  );
  expect(texts()).toEqual(numbers(20));
  await eventually(
    () => waiting(queue),
    (count) => count === 0,
  );
});

test('while messages cannot be stored they are held, not sent round: each comes once, in order, and the queue keeps the rest', async () => {
  let isAway = true;
  let refused = 0;
  const { consumer, queue, texts, taken } = consume(
    () => {
      if (!isAway) return;
      refused++;
      throw new Refusal(503, 'unavailable', 'Postgres is away.');
    },
    { prefetch: 10 },
  );
  await isRunning(consumer);
  await send(queue, numbers(30));
  await eventually(
    async () => refused,
    (count) => count >= 4,
  );
  expect(consumer.state()).toMatchObject({ kind: 'waiting', error: 'Postgres is away.' });
  await eventually(
    () => waiting(queue),
    (count) => count === 20,
  );
  isAway = false;
  await eventually(
    async () => taken.length,
    (length) => length === 30,
  );
  expect(texts()).toEqual(numbers(30));
  expect(taken.every(({ attributes }) => attributes.get('redelivered') === 'false')).toBe(true);
  expect(consumer.state()).toMatchObject({ kind: 'running', error: null });
});

test('a message without an id is known again for as long as it is held, and no longer', async () => {
  const seen: string[] = [];
  const { consumer, queue, end, again } = consume((messages) => {
    seen.push(...messages.map(({ position }) => position));
    throw new Error('The answer of the commit was lost.');
  });
  const untilSeen = (count: number) =>
    eventually(
      async () => seen.length,
      (length) => length >= count,
    );
  await isRunning(consumer);
  await send(queue, ['same']);
  await untilSeen(2);
  await end();
  const first = seen.splice(0);
  again();
  await untilSeen(2);
  expect([new Set(first).size, new Set(seen).size, new Set([...first, ...seen]).size]).toEqual([1, 1, 2]);
});

test('the order of the queue is kept over a consumer that ends with messages in its hands', async () => {
  let isAway = true;
  let stored = 0;
  let refused = 0;
  const source = consume(
    async (messages) => {
      if (messages.length > 3) throw new Refusal(429, 'rate_limited', 'fewer at once');
      if (isAway && stored >= 10) {
        refused++;
        throw new Error('away');
      }
      stored += messages.length;
    },
    { prefetch: 50, queue: { single_active_consumer: true } },
  );
  const other = source.again();
  await eventually(
    async () => [source.consumer.state().kind, other.consumer.state().kind],
    (kinds) => kinds.every((kind) => kind === 'running'),
  );
  await send(source.queue, numbers(100));
  await eventually(
    async () => refused,
    (count) => count > 0,
  );
  await source.end();
  isAway = false;
  await eventually(
    async () => source.taken.length,
    (length) => length === 100,
  );
  expect(source.texts()).toEqual(numbers(100));
});

test('pause takes nothing more in and resume goes on', async () => {
  const { consumer, queue, taken, texts } = consume(() => {});
  await isRunning(consumer);
  await send(queue, numbers(3));
  await eventually(
    async () => taken.length,
    (length) => length === 3,
  );
  consumer.pause();
  await eventually(
    async () => (await channel.queueDeclare({ queue, passive: true })).consumerCount,
    (count) => count === 0,
  );
  await send(queue, numbers(3, 3));
  await eventually(
    async () => consumer.state().lag[0]!.messages,
    (messages) => messages === 3,
  );
  expect(consumer.state().kind).toBe('paused');
  expect(taken.length).toBe(3);
  consumer.resume();
  await eventually(
    async () => taken.length,
    (length) => length === 6,
  );
  expect(texts()).toEqual(numbers(6));
});

test('a queue that is deleted under a consumer is made again', async () => {
  const { consumer, queue, taken } = consume(() => {});
  await isRunning(consumer);
  await channel.queueDelete(queue);
  await eventually(
    async () => consumer.state(),
    ({ kind }) => kind === 'failing',
  );
  await isRunning(consumer);
  await send(queue, ['after']);
  await eventually(
    async () => taken.length,
    (length) => length === 1,
  );
});

test('a queue with other properties is not touched, and the state says which', async () => {
  const queue = { name: 'classic-one' };
  await channel.queueDeclare({ queue: queue.name, durable: true });
  const { consumer } = consume(() => {}, { queue });
  await eventually(
    async () => consumer.state(),
    ({ kind }) => kind === 'failing',
  );
  expect(consumer.state().error).toMatch(/PRECONDITION_FAILED.*x-queue-type.*classic-one/);
});

test('of a body that is far too large only a part is held', async () => {
  const { consumer, queue, taken } = consume(() => {});
  await isRunning(consumer);
  await channel.basicPublish({ routingKey: queue }, Buffer.alloc(3 * 1024 * 1024, 'x'));
  await send(queue, ['after']);
  await eventually(
    async () => taken.length,
    (length) => length === 2,
  );
  expect(taken.map(({ body }) => body.length)).toEqual([1024 * 1024, 5]);
});

test('a wrong password is said without being shown', async () => {
  const url = rabbitmq.url.replace(rabbitmq.password, 'hunter2-wrong');
  const { consumer } = consume(() => {}, {}, { connection: { url } });
  await eventually(
    async () => consumer.state(),
    ({ kind }) => kind === 'failing',
  );
  expect(consumer.state().error).toMatch(/ACCESS_REFUSED/);
  expect(JSON.stringify(consumer.state())).not.toContain('hunter2');
});
