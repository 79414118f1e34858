import { randomBytes } from 'node:crypto';
import { Admin, Consumer, type Message, MessagesStreamModes } from '@platformatic/kafka';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createKafkaSender } from '../../src/delivery/brokers/kafka-sender.ts';
import { compileEgressPolicy } from '../../src/delivery/egress-policy.ts';
import { fakeResolver } from '../../src/delivery/fixtures/delivery-rig.ts';
import type { KafkaDestination } from '../../src/domain/destination.ts';
import type { Outcome } from '../../src/domain/outcome.ts';
import { call } from '../support/api.ts';
import { destinationCalls } from '../support/destinations.ts';
import { eventually } from '../support/eventually.ts';
import { hasKafka, requireKafka } from '../support/require-kafka.ts';
import { type SharedKafka, sharedKafka } from '../support/shared-kafka.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;
let calls: ReturnType<typeof destinationCalls>;
let kafka: SharedKafka;
let broker: string;

beforeEach(requireKafka);
beforeAll(async () => {
  if (!hasKafka()) return;
  [kafka, service] = await Promise.all([sharedKafka(), startTestService({ worker: true })]);
  broker = kafka.broker;
  calls = destinationCalls(service.baseUrl, 'acme');
});
afterAll(() => Promise.all([service?.stop(), kafka?.close()]));

async function makeTopic(partitions = 3, settings: Record<string, string> = {}): Promise<string> {
  const topic = `t-${randomBytes(6).toString('hex')}`;
  const admin = new Admin({ clientId: 'tests', bootstrapBrokers: [broker] });
  const configs = Object.entries(settings).map(([name, value]) => ({ name, value }));
  await admin.createTopics({ topics: [topic], partitions, replicas: 1, configs });
  await eventually(() => isWhole(admin, topic, partitions), Boolean);
  await admin.close();
  return topic;
}

/** A topic is made at once and known with all its leaders a little later. */
async function isWhole(admin: Admin, topic: string, partitions: number): Promise<boolean> {
  const { topics } = await admin.metadata({ topics: [topic], forceUpdate: true }).catch(() => ({ topics: new Map() }));
  const known = topics.get(topic)?.partitions ?? [];
  return Array.from({ length: partitions }, (_, at) => known[at]).every((each) => (each?.leader ?? -1) >= 0);
}

/** So many messages of a topic, in the order in which they are read. */
async function read(topic: string, count: number): Promise<Message<Buffer, Buffer, Buffer, Buffer>[]> {
  const consumer = new Consumer({
    clientId: 'tests',
    groupId: randomBytes(6).toString('hex'),
    bootstrapBrokers: [broker],
  });
  const stream = await consumer.consume({
    topics: [topic],
    mode: MessagesStreamModes.EARLIEST,
    autocommit: false,
    maxWaitTime: 100,
  });
  const messages: Message<Buffer, Buffer, Buffer, Buffer>[] = [];
  for await (const message of stream) {
    messages.push(message);
    if (messages.length >= count) break;
  }
  await stream.close();
  await consumer.close(true);
  return messages;
}

const headersOf = ({ headers }: Message<Buffer, Buffer, Buffer, Buffer>) =>
  Object.fromEntries([...headers].map(([name, value]) => [name.toString(), value.toString()]));

const destination = (topic: string, changes: object = {}) => ({
  type: 'kafka',
  brokers: [broker],
  tls: false,
  topic,
  ...changes,
});
const only = (type: string) => ({ subscriptions: [{ types: [type] }] });

test('a consumer reads the event as an HTTP endpoint gets it, and its signature verifies', async () => {
  const topic = await makeTopic();
  const endpoint = await calls.create({
    destination: destination(topic),
    headers: { 'X-Team': 'blue' },
    ...only('order.*'),
  });
  const eventId = await calls.post({ type: 'order.paid', subject: 'order-7', data: { amount: 12.5, name: 'Zoë' } });
  await calls.settled(eventId, endpoint, 'delivered');
  const [message] = await read(topic, 1);
  const headers = headersOf(message!);
  const body = message!.value.toString();
  expect(new Webhook(endpoint.secret).verify(body, headers)).toEqual(JSON.parse(body));
  expect(JSON.parse(body)).toMatchObject({ id: eventId, type: 'order.paid', data: { amount: 12.5, name: 'Zoë' } });
  expect(message!.key.toString()).toBe('order-7');
  expect(headers).toEqual({
    'content-type': 'application/json',
    'webhook-id': eventId,
    'webhook-timestamp': expect.stringMatching(/^\d+$/),
    'webhook-signature': expect.stringMatching(/^v1,/),
    'posthorn-delivery-id': expect.stringMatching(/^dlv_/),
    'posthorn-attempt': '1',
    'X-Team': 'blue',
  });
  expect((await calls.attempts(eventId, endpoint))[0]).toMatchObject({
    ...{ outcome: 'delivered', status: null, detail: null },
    response: { headers: { topic, partition: String(message!.partition), offset: String(message!.offset) } },
  });
});

test('of many at once each is told its own place, and a subject keeps its partition', async () => {
  const topic = await makeTopic(5);
  const endpoint = await calls.create({ destination: destination(topic), ...only('many.*'), max_in_flight: 100 });
  const subjects = Array.from({ length: 120 }, (_, i) => `s-${i % 12}`);
  const events = await Promise.all(subjects.map((subject) => calls.post({ type: 'many.sent', subject })));
  for (const event of events) await calls.settled(event, endpoint, 'delivered');
  const messages = await read(topic, events.length);
  const places = new Map(
    messages.map((message) => [headersOf(message)['webhook-id'], `${message.partition}/${message.offset}`]),
  );
  const partitions = new Map<string, Set<number>>();
  for (const { key, partition } of messages)
    partitions.set(key.toString(), (partitions.get(key.toString()) ?? new Set()).add(partition));
  expect([...partitions.values()].every((each) => each.size === 1)).toBe(true);
  expect(new Set(messages.map((message) => message.partition)).size).toBeGreaterThan(1);
  for (const event of events) {
    const { partition, offset } = (await calls.attempts(event, endpoint))[0]!.response!.headers;
    expect(places.get(event)).toBe(`${partition}/${offset}`);
  }
});

test('an unknown topic, and a message that the topic does not take, are rejected by their names; what was sent beside them arrives', async () => {
  const topic = await makeTopic(1, { 'max.message.bytes': '4000' });
  const lost = await calls.create({ destination: destination('absent'), ...only('size.*') });
  const strict = await calls.create({ destination: destination(topic), ...only('size.*'), max_in_flight: 50 });
  const [large, ...small] = await Promise.all([
    calls.post({ type: 'size.large', data: { text: randomBytes(6_000).toString('hex') } }),
    ...Array.from({ length: 9 }, () => calls.post({ type: 'size.small', data: { text: 'x'.repeat(900) } })),
  ]);
  for (const event of small) await calls.settled(event, strict, 'delivered');
  expect((await calls.attempts(large!, strict))[0]).toMatchObject({
    outcome: 'rejected',
    status: null,
    detail: expect.stringContaining('MESSAGE_TOO_LARGE'),
    response: { headers: { code: 'MESSAGE_TOO_LARGE' } },
  });
  for (const event of small) expect(await calls.attempts(event, strict)).toHaveLength(1);
  expect((await calls.attempts(large!, lost))[0]).toMatchObject({
    outcome: 'rejected',
    response: { headers: { code: 'UNKNOWN_TOPIC_OR_PARTITION' } },
  });
});

test('a topic that is not there costs what goes to another topic of the cluster at the same time nothing', async () => {
  const topic = await makeTopic();
  const policy = compileEgressPolicy({ allowedNetworks: ['127.0.0.0/8'] });
  const sender = createKafkaSender({ policy, resolver: fakeResolver({}) });
  const send = (to: string) =>
    new Promise<Outcome>((resolve) => {
      const place = { ...destination(to), key: 'subject', sasl: null, ca: null } as KafkaDestination;
      const message = { tenantNum: 1, headers: ['webhook-id', 'evt_1'], body: Buffer.from('{}'), timeoutMs: 10_000 };
      sender.send({ type: 'kafka', destination: place, key: null, ...message }, resolve);
    });
  const outcomes: string[] = [];
  for (let round = 0; round < 40; round++) {
    const [absent, there] = await Promise.all([send('absent'), send(topic)]);
    outcomes.push(`${absent.kind} ${there.kind}`);
  }
  await sender.close();
  expect(new Set(outcomes)).toEqual(new Set(['rejected delivered']));
});

test.each(['plain', 'scram-sha-512'])(
  'with %s the right password delivers, and a wrong one is rejected without being shown',
  async (mechanism) => {
    const topic = await makeTopic();
    const username = mechanism === 'plain' ? 'alice' : 'bob';
    const sasl = { mechanism, username, password: `${username}-secret` };
    const type = `login.${mechanism}`;
    const good = await calls.create({
      destination: destination(topic, { brokers: [kafka.brokerOf('SASL')], sasl }),
      ...only(type),
    });
    const bad = await calls.create({
      destination: destination(topic, {
        brokers: [kafka.brokerOf('SASL')],
        sasl: { ...sasl, password: 'wrong-password-1' },
      }),
      ...only(type),
    });
    const eventId = await calls.post({ type });
    await calls.settled(eventId, good, 'delivered');
    const attempts = await calls.attempts(eventId, bad);
    expect(attempts[0]).toMatchObject({
      outcome: 'rejected',
      detail: expect.stringContaining('SASL_AUTHENTICATION_FAILED'),
    });
    const audit = await call(service.baseUrl, 'GET', '/v1/tenants/acme/audit');
    const stored = await service.context.apiPool.query('SELECT e::text FROM endpoints e');
    expect(JSON.stringify([attempts, audit.body, stored.rows, good, bad])).not.toMatch(/wrong-password|-secret/);
  },
);

test('an ordered endpoint has its events in the topic in the order of their acceptance, and a replay brings them once more', async () => {
  const topic = await makeTopic(1);
  const endpoint = await calls.create({ destination: destination(topic), order: 'endpoint', ...only('line.*') });
  const ids: string[] = [];
  for (let n = 0; n < 30; n++) ids.push(await calls.post({ type: 'line.moved', data: { n } }));
  const received = async (count: number) =>
    (await read(topic, count)).map((message) => headersOf(message)['webhook-id']);
  expect(await received(30)).toEqual(ids);
  await calls.replay(endpoint, ids);
  expect((await received(60)).slice(30).sort()).toEqual([...ids].sort());
});

test('a cluster that names an address that is not allowed as the place of its broker is blocked', async () => {
  const topic = await makeTopic();
  const endpoint = await calls.create({
    destination: destination(topic, { brokers: [kafka.brokerOf('STRAY')] }),
    ...only('stray.*'),
  });
  const [attempt] = await calls.attempts(await calls.post({ type: 'stray.sent' }), endpoint);
  expect(attempt).toMatchObject({ outcome: 'blocked', detail: expect.stringContaining('not allowed (private)') });
});
