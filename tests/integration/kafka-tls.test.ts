import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { KAFKA_PASSWORDS } from '../support/broker-host.ts';
import { certificateOf, keyOf } from '../support/certificates.ts';
import { destinationCalls } from '../support/destinations.ts';
import { eventually } from '../support/eventually.ts';
import { createSource, kafkaSource, untilSource } from '../support/kafka-source.ts';
import { query } from '../support/query.ts';
import { hasKafka, requireKafka } from '../support/require-kafka.ts';
import { type SharedKafka, sharedKafka } from '../support/shared-kafka.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

const ca = certificateOf('ca');
const LOGINS = [
  ['PLAIN', 'alice'],
  ['SCRAM-SHA-256', 'bob'],
  ['SCRAM-SHA-512', 'bob'],
] as const;

let kafka: SharedKafka;
let service: TestService;
let calls: ReturnType<typeof destinationCalls>;
let topics = 0;

beforeEach(requireKafka);
beforeAll(async () => {
  if (!hasKafka()) return;
  [kafka, service] = await Promise.all([sharedKafka(), startTestService({ worker: true, ingest: true })]);
  calls = destinationCalls(service.baseUrl, 'acme');
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
});
afterAll(() => Promise.all([service?.stop(), kafka?.close()]));

async function newTopic(): Promise<string> {
  const topic = `tls-${++topics}`;
  await kafka.createTopic(topic, 1);
  return topic;
}

const at = (listener: string) => kafka.brokerOf(listener);

async function sourceOf(topic: string, connection: object, more: object = {}): Promise<string> {
  return createSource(service.baseUrl, kafkaSource('', [topic], { connection, ...more }));
}

/** What the source says once it is in this state and says so: on a slow machine it may have failed for its slowness first. */
async function told(id: string, state: string, error = /^/) {
  const isSo = ({ consumers: [one] }: { consumers: { state: string; error: string | null }[] }) =>
    one?.state === state && error.test(one.error ?? '');
  const source = await untilSource(service.baseUrl, id, isSo);
  expect(JSON.stringify(source)).not.toMatch(/-secret|wrong-password|PRIVATE KEY/);
  return source.consumers[0].error as string | null;
}

/** Resolves when an event of this type is in the log. */
async function logged(type: string): Promise<void> {
  const ask = () => query(service.databaseUrl, `SELECT 1 FROM events WHERE type = '${type}'`);
  await eventually(ask, (rows) => rows.length === 1);
}

test('a source logs in by each mechanism over TLS, by the authority that it is given; its dead letters go the same way', async () => {
  const consumed: string[] = [];
  for (const [mechanism, username] of LOGINS) {
    const [topic, dead] = [await newTopic(), await newTopic()];
    const sasl = { mechanism, username, password: KAFKA_PASSWORDS[username] };
    const connection = { brokers: [at('LOGIN')], tls: { ca }, sasl };
    await sourceOf(topic, connection, { on_rejected: { dead_letter_topic: dead } });
    const values = ['no event', JSON.stringify({ type: `${topic}.in`, data: {} })];
    await kafka.send(values.map((value) => ({ topic, value })));
    consumed.push(topic);
  }
  for (const topic of consumed) {
    await logged(`${topic}.in`);
    const kept = `SELECT publish FROM rejected_messages WHERE message_group = '${topic}/0'`;
    await eventually(
      () => query(service.databaseUrl, kept),
      (rows) => rows.length === 1 && rows[0].publish === false,
    );
  }
});

test('a source that logs in with a wrong password says so by each mechanism, and not which password', async () => {
  const ids: string[] = [];
  for (const [mechanism, username] of LOGINS) {
    const sasl = { mechanism, username, password: 'wrong-password-1' };
    ids.push(await sourceOf(await newTopic(), { brokers: [at('LOGIN')], tls: { ca }, sasl }));
  }
  for (const id of ids) await told(id, 'failing', /authentication failed/i);
});

test('a source takes no certificate of another authority, or for another name, and says which it is', async () => {
  const stranger = certificateOf('self-signed');
  const brokers = [at('STRANGE')];
  const connections = [{ tls: true }, { tls: { ca: stranger } }, { tls: { ca } }];
  const ids: string[] = [];
  for (const each of connections) ids.push(await sourceOf(await newTopic(), { brokers, ...each }));
  await told(ids[0]!, 'failing', /unable to verify the first certificate|unable to get/i);
  await told(ids[1]!, 'failing', /unable to verify the first certificate|unable to get/i);
  await told(ids[2]!, 'failing', /does not match certificate's altnames/i);
});

test('a source that is told which name the certificate has takes it, and shows its own where it is asked for one', async () => {
  const [named, mutual, bare] = [await newTopic(), await newTopic(), await newTopic()];
  await sourceOf(named, { brokers: [at('STRANGE')], tls: { ca, server_name: 'other.test' } });
  const own = { cert: certificateOf('localhost'), key: keyOf('localhost') };
  await sourceOf(mutual, { brokers: [at('MUTUAL')], tls: { ca, ...own } });
  const nameless = await sourceOf(bare, { brokers: [at('MUTUAL')], tls: { ca } });
  await kafka.send(
    [named, mutual].map((topic) => ({ topic, value: JSON.stringify({ type: `${topic}.in`, data: {} }) })),
  );
  await logged(`${named}.in`);
  await logged(`${mutual}.in`);
  await told(nameless, 'failing', /alert bad certificate|wants a client certificate/);
});

test('a source that speaks TLS to a broker that does not, or the other way round, says so', async () => {
  const secure = await sourceOf(await newTopic(), { brokers: [kafka.broker], tls: true });
  const plain = await sourceOf(await newTopic(), { brokers: [at('STRANGE')] });
  await told(secure, 'failing', /TLS/);
  await told(plain, 'failing', /requires TLS/);
});

const destinationOf = (topic: string, listener: string, more: object) => ({
  destination: { type: 'kafka', brokers: [at(listener)], tls: true, topic, ...more },
});

test('a destination logs in over TLS, by the authority that it is given', async () => {
  const topic = await newTopic();
  const endpoints = [];
  for (const [mechanism, username] of LOGINS) {
    const sasl = { mechanism: mechanism.toLowerCase(), username, password: KAFKA_PASSWORDS[username] };
    const subscriptions = [{ types: ['out.*'] }];
    endpoints.push(await calls.create({ ...destinationOf(topic, 'LOGIN', { ca, sasl }), subscriptions }));
  }
  const eventId = await calls.post({ type: 'out.sent' });
  for (const endpoint of endpoints) {
    await calls.settled(eventId, endpoint, 'delivered');
    expect(await calls.attempts(eventId, endpoint)).toHaveLength(1);
  }
});

test('a destination takes no certificate of another authority, or for another name, and says which it is', async () => {
  const topic = await newTopic();
  const tries = [
    ['LOGIN', {}, /UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT/],
    ['LOGIN', { ca: certificateOf('self-signed') }, /UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT/],
    ['STRANGE', { ca }, /ERR_TLS_CERT_ALTNAME_INVALID/],
    ['STRANGE', { tls: false }, /one side speaks TLS/],
  ] as const;
  const endpoints = [];
  for (const [listener, more] of tries)
    endpoints.push(
      await calls.create({ ...destinationOf(topic, listener, more), subscriptions: [{ types: ['refused.*'] }] }),
    );
  const eventId = await calls.post({ type: 'refused.sent' });
  for (const [i, [, , detail]] of tries.entries())
    expect((await calls.attempts(eventId, endpoints[i]!))[0]).toMatchObject({
      outcome: 'tls',
      detail: expect.stringMatching(detail),
    });
});
