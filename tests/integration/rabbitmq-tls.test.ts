import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { certificateOf, keyOf } from '../support/certificates.ts';
import { destinationCalls } from '../support/destinations.ts';
import { eventually } from '../support/eventually.ts';
import { createSource, untilSource } from '../support/kafka-source.ts';
import { query } from '../support/query.ts';
import { hasRabbitmq, requireRabbitmq } from '../support/rabbitmq-process.ts';
import { type SharedRabbitmq, sharedRabbitmq } from '../support/shared-rabbitmq.ts';
import { startTestService, type TestService } from '../support/test-service.ts';
import { withRabbitmqChannel } from '../support/with-rabbitmq-channel.ts';

const ca = certificateOf('ca');

let rabbitmq: SharedRabbitmq;
let service: TestService;
let calls: ReturnType<typeof destinationCalls>;

beforeEach(requireRabbitmq);
beforeAll(async () => {
  if (!hasRabbitmq()) return;
  [rabbitmq, service] = await Promise.all([sharedRabbitmq(), startTestService({ worker: true, ingest: true })]);
  calls = destinationCalls(service.baseUrl, 'acme');
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
});
afterAll(() => service?.stop());

const secure = () => `127.0.0.1:${rabbitmq.tlsPort}`;

async function sourceOf(name: string, host: string, connection: object, more: object = {}): Promise<string> {
  const { username, password } = rabbitmq;
  return createSource(service.baseUrl, {
    type: 'rabbitmq',
    name,
    tenant_id: 'acme',
    connection: { hosts: [host], username, password, ...connection },
    consume: { queue: { name } },
    mapping: { format: 'envelope' },
    ...more,
  });
}

/** What the source says once it is in this state and says so: on a slow machine it may have failed for its slowness first. */
async function told(id: string, state: string, error = /^/) {
  const isSo = ({ consumers: [one] }: { consumers: { state: string; error: string | null }[] }) =>
    one?.state === state && error.test(one.error ?? '');
  const source = await untilSource(service.baseUrl, id, isSo);
  expect(JSON.stringify(source)).not.toMatch(new RegExp(`${rabbitmq.password}|wrong-password|PRIVATE KEY`));
  return source.consumers[0].error as string | null;
}

test('a source takes messages in over TLS, by the authority that it is given, and shows its own certificate', async () => {
  await withRabbitmqChannel(rabbitmq.url, async (channel) => {
    await channel.exchangeDeclare({ exchange: 'tls-dead', type: 'fanout', durable: true });
    await channel.queueDeclare({ queue: 'tls-dead', durable: true });
    await channel.queueBind({ exchange: 'tls-dead', queue: 'tls-dead' });
  });
  const tls = { ca, cert: certificateOf('localhost'), key: keyOf('localhost') };
  const id = await sourceOf('secure', secure(), { tls }, { on_rejected: { dead_letter_exchange: 'tls-dead' } });
  expect(await told(id, 'running')).toBeNull();
  await withRabbitmqChannel(rabbitmq.url, async (channel) => {
    await channel.confirmSelect();
    for (const body of ['no event', '{"type":"bus.in","data":{}}'])
      await channel.basicPublish({ routingKey: 'secure', durable: true }, Buffer.from(body));
  });
  const found = () => query(service.databaseUrl, `SELECT 1 FROM events WHERE type = 'bus.in'`);
  await eventually(found, (rows) => rows.length === 1);
  const letter = () =>
    withRabbitmqChannel(rabbitmq.url, (channel) => channel.basicGet({ queue: 'tls-dead', noAck: true }));
  await eventually(letter, (message) => message?.headers?.['posthorn-rejected-source'] === 'secure');
  const seen = await rabbitmq.look('list_connections', 'ssl', 'peer_cert_subject', '--no-table-headers');
  expect(seen).toMatch(/true\tCN=localhost/);
});

test('a source takes no certificate of another authority, or for another name, and says which it is', async () => {
  const stranger = certificateOf('self-signed');
  const ids = [
    await sourceOf('well-known', secure(), { tls: true }),
    await sourceOf('stranger', secure(), { tls: { ca: stranger } }),
    await sourceOf('misnamed', rabbitmq.strange, { tls: { ca } }),
    await sourceOf('named-wrongly', secure(), { tls: { ca, server_name: 'other.test' } }),
  ];
  for (const id of ids.slice(0, 2)) await told(id, 'failing', /self-signed certificate in certificate chain/);
  for (const id of ids.slice(2)) await told(id, 'failing', /does not match certificate's altnames/i);
  await told(await sourceOf('named', rabbitmq.strange, { tls: { ca, server_name: 'receiver.test' } }), 'running');
});

test('a source with a wrong password, of an unknown user, or for an unknown virtual host says so', async () => {
  const ids = [
    await sourceOf('password', secure(), { tls: { ca }, password: 'wrong-password-1' }),
    await sourceOf('user', secure(), { tls: { ca }, username: 'nobody' }),
    await sourceOf('vhost', secure(), { tls: { ca }, vhost: 'nowhere' }),
  ];
  for (const id of ids.slice(0, 2)) await told(id, 'failing', /ACCESS_REFUSED/);
  await told(ids[2]!, 'failing', /NOT_ALLOWED.*nowhere/);
});

test('a source that speaks TLS to a listener that does not, or the other way round, fails', async () => {
  const wrongly = await sourceOf('too-secure', `127.0.0.1:${rabbitmq.port}`, { tls: true });
  const plain = await sourceOf('too-plain', secure(), {});
  await told(wrongly, 'failing', /TLS|SSL/i);
  expect(await told(plain, 'failing')).not.toBeNull();
});

const destinationOf = (host: string, more: object) => ({
  destination: {
    ...{ type: 'rabbitmq', hosts: [host], tls: true, exchange: '', routing_key: 'out' },
    ...{ username: rabbitmq.username, password: rabbitmq.password },
    ...more,
  },
});

test('a destination is written to over TLS, by the authority that it is given', async () => {
  await withRabbitmqChannel(rabbitmq.url, (channel) => channel.queueDeclare({ queue: 'out', durable: true }));
  const subscriptions = [{ types: ['out.*'] }];
  const endpoint = await calls.create({ ...destinationOf(secure(), { ca }), subscriptions });
  const eventId = await calls.post({ type: 'out.sent' });
  await calls.settled(eventId, endpoint, 'delivered');
  expect(await calls.attempts(eventId, endpoint)).toHaveLength(1);
});

test('a destination takes no certificate of another authority, or for another name, and says which it is', async () => {
  const tries = [
    [secure(), {}, /SELF_SIGNED_CERT_IN_CHAIN/],
    [secure(), { ca: certificateOf('self-signed') }, /SELF_SIGNED_CERT_IN_CHAIN/],
    [rabbitmq.strange, { ca }, /ERR_TLS_CERT_ALTNAME_INVALID/],
  ] as const;
  const subscriptions = [{ types: ['refused.*'] }];
  const endpoints = [];
  for (const [host, more] of tries) endpoints.push(await calls.create({ ...destinationOf(host, more), subscriptions }));
  const eventId = await calls.post({ type: 'refused.sent' });
  for (const [i, [, , detail]] of tries.entries())
    expect((await calls.attempts(eventId, endpoints[i]!))[0]).toMatchObject({
      outcome: 'tls',
      detail: expect.stringMatching(detail),
    });
});
