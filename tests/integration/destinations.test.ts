import { afterAll, beforeAll, expect, test } from 'vitest';
import { reseal } from '../../src/store/reseal.ts';
import { loadTargets } from '../../src/store/targets.ts';
import { Vault } from '../../src/store/vault.ts';
import { call } from '../support/api.ts';
import { query } from '../support/query.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
});
afterAll(() => service.stop());

const endpoints = '/v1/tenants/acme/endpoints';
const api = (method: string, path: string, body?: unknown) => call(service.baseUrl, method, path, body);
const password = 'hunter2-hunter2';
const kafka = (changes: object = {}) => ({
  ...{ type: 'kafka', brokers: ['Kafka.Example', '0x7f.1:9093'], topic: 'events' },
  ...{ sasl: { mechanism: 'scram-sha-512', username: 'u', password } },
  ...changes,
});
const rabbitmq = (changes: object = {}) => ({
  ...{ type: 'rabbitmq', hosts: ['rabbit.example'], exchange: 'events', username: 'u', password },
  ...changes,
});

async function create(destination: object): Promise<{ id: string; path: string; shown: Record<string, unknown> }> {
  const { status, body } = await api('POST', endpoints, { destination });
  expect({ status, body }).toMatchObject({ status: 201 });
  return { id: body.id, path: `${endpoints}/${body.id}`, shown: body };
}

async function target(id: string) {
  const { apiPool, vault } = service.context;
  const { rows } = await apiPool.query<{ num: number }>('SELECT num FROM endpoints WHERE id = $1', [id]);
  const { num } = rows[0]!;
  const loaded = (await loadTargets(apiPool, vault, { retryScheduleMs: [0], timeoutMs: 1, maxInFlight: 1 }, [num])).get(
    num,
  );
  if (loaded?.kind !== 'target') throw new Error(`unusable: ${loaded?.problem}`);
  return loaded.target.destination;
}

const faultsOf = async (method: string, path: string, body: unknown) => {
  const { status, body: problem } = await api(method, path, body);
  expect(status).toBe(422);
  return problem.errors.map(({ path: at }: { path: string }) => at);
};

test('a destination is stored in one spelling with its defaults, used with its password, and shown without it', async () => {
  const { id, shown } = await create(kafka());
  const whole = {
    ...{ type: 'kafka', brokers: ['kafka.example:9092', '127.0.0.1:9093'], topic: 'events', key: 'subject' },
    ...{ tls: true, ca: null, sasl: { mechanism: 'SCRAM-SHA-512', username: 'u' } },
  };
  expect(shown).toMatchObject({ url: 'kafka://kafka.example:9092/events' });
  expect(shown.destination).toEqual(whole);
  expect(await target(id)).toEqual({ ...whole, sasl: { ...whole.sasl, password } });

  const other = await create(rabbitmq({ vhost: 'a/b', tls: false, routing_key: 'fixed' }));
  const node = {
    hosts: ['rabbit.example:5672'],
    vhost: 'a/b',
    exchange: 'events',
    tls: false,
    ca: null,
    username: 'u',
  };
  expect(other.shown).toMatchObject({ url: 'rabbitmq://rabbit.example:5672/a%2Fb/events' });
  expect(other.shown.destination).toEqual({ type: 'rabbitmq', ...node, routing_key: 'fixed' });
  expect(await target(other.id)).toEqual({ type: 'rabbitmq', ...node, routing: { key: 'fixed' }, password });
});

test('a password is nowhere in the clear: not in answers, lists, the audit log or the database', async () => {
  const { path } = await create(kafka());
  await api('PATCH', path, { destination: rabbitmq() });
  await api('PATCH', path, { destination: rabbitmq({ password: `${password}-2` }) });
  const audit = await api('GET', '/v1/tenants/acme/audit');
  expect(audit.body.data[0].after).toMatchObject({ password_written: true });
  const answers = await Promise.all([api('GET', path), api('GET', endpoints)]);
  const { rows } = await service.context.apiPool.query(
    'SELECT (SELECT string_agg(e::text, $1) FROM endpoints e) AS e, (SELECT string_agg(a::text, $1) FROM audit_log a) AS a',
    [' '],
  );
  expect(JSON.stringify([audit.body, answers.map(({ body }) => body), rows])).not.toContain(password);
});

test('an endpoint has a url or a destination, and a change of the one replaces the other', async () => {
  expect(await faultsOf('POST', endpoints, {})).toEqual(['url']);
  const { path, id } = await create(kafka());
  expect((await api('PATCH', path, { url: 'https://a.example/' })).body.destination).toEqual({
    type: 'http',
    url: 'https://a.example/',
  });
  expect(await target(id)).toEqual({ type: 'http', url: 'https://a.example/' });
  expect((await api('PATCH', path, { destination: { type: 'http', url: 'https://b.example' } })).body.url).toBe(
    'https://b.example/',
  );
  const both = { url: 'https://c.example/', destination: { type: 'http', url: 'https://d.example/' } };
  expect(await faultsOf('PATCH', path, both)).toEqual(['url']);
  expect(await faultsOf('POST', endpoints, both)).toEqual(['url']);
});

test('what reading shows can be written back, with another url or another destination', async () => {
  const { path } = await create({ type: 'http', url: 'https://a.example/' });
  const shown = (await api('GET', path)).body;
  const pair = ({ url, destination }: typeof shown) => ({ url, destination });
  expect((await api('PATCH', path, pair(shown))).body).toEqual(shown);
  const moved = (await api('PATCH', path, { ...pair(shown), url: 'https://b.example/' })).body;
  expect(moved).toMatchObject({ url: 'https://b.example/', destination: { url: 'https://b.example/' } });
  const back = await api('PATCH', path, { ...pair(moved), destination: shown.destination });
  expect(back.body.url).toBe('https://a.example/');
  await api('PATCH', path, { destination: kafka() });
  const broker = (await api('GET', path)).body;
  expect((await api('PATCH', path, pair(broker))).body).toEqual(broker);
});

test('the name of a SASL mechanism is taken in any case, shown in upper case, and stored as it ever was', async () => {
  const sasl = { mechanism: 'SCRAM-SHA-512', username: 'u' };
  for (const mechanism of ['SCRAM-SHA-512', 'scram-sha-512', 'Scram-Sha-512']) {
    const { path, id, shown } = await create(kafka({ sasl: { ...sasl, mechanism, password } }));
    expect([(shown.destination as { sasl: unknown }).sasl, (await api('GET', path)).body.destination.sasl]).toEqual([
      sasl,
      sasl,
    ]);
    const rows = await query(
      service.databaseUrl,
      `SELECT destination -> 'sasl' AS sasl FROM endpoints WHERE id = '${id}'`,
    );
    expect(rows).toEqual([{ sasl: { ...sasl, mechanism: 'scram-sha-512' } }]);
    // Another case is no other user: the password is kept.
    const again = kafka({ topic: 'other', sasl: { ...sasl, mechanism: 'scram-sha-512' } });
    expect((await api('PATCH', path, { destination: again })).status).toBe(200);
    expect(await target(id)).toMatchObject({ topic: 'other', sasl: { ...sasl, password } });
  }
});

test('a password that is left out is kept for the same broker and user, and for nobody else', async () => {
  const sasl = { mechanism: 'scram-sha-512', username: 'u' };
  const { path, id } = await create(kafka());
  expect((await api('PATCH', path, { destination: kafka({ topic: 'other', key: 'tenant', sasl }) })).status).toBe(200);
  expect(await target(id)).toMatchObject({ topic: 'other', key: 'tenant', sasl: { password } });
  for (const changes of [
    { brokers: ['evil.example:9092'] },
    { brokers: ['kafka.example:9092', '127.0.0.1:9093', 'evil.example:9092'] },
    { tls: false },
    { sasl: { ...sasl, mechanism: 'plain' } },
    { sasl: { ...sasl, username: 'v' } },
  ]) {
    expect(await faultsOf('PATCH', path, { destination: kafka({ sasl, ...changes }) })).toEqual([
      'destination.sasl.password',
    ]);
  }
  expect(await faultsOf('POST', endpoints, { destination: kafka({ sasl }) })).toEqual(['destination.sasl.password']);
  const { password: _, ...open } = rabbitmq();
  expect(await faultsOf('POST', endpoints, { destination: open })).toEqual(['destination.password']);
});

test.each([
  [kafka({ brokers: [] }), 'destination.brokers'],
  [kafka({ brokers: ['a b:1'] }), 'destination.brokers.0'],
  [kafka({ brokers: ['user:pw@kafka.example:9092'] }), 'destination.brokers.0'],
  [kafka({ brokers: ['ok.example:9092', '10.0.0.1:9092'] }), 'destination.brokers.1'],
  [kafka({ brokers: ['[::ffff:10.0.0.1]:9092'] }), 'destination.brokers.0'],
  [kafka({ brokers: ['metadata.google.internal:9092'] }), 'destination.brokers.0'],
  [kafka({ brokers: ['kafka.example:6379'] }), 'destination.brokers.0'],
  [kafka({ brokers: ['kafka.example:5672'] }), 'destination.brokers.0'],
  [rabbitmq({ hosts: ['rabbit.example:9092'] }), 'destination.hosts.0'],
  [kafka({ brokers: Array(11).fill('a.example') }), 'destination.brokers'],
  [kafka({ topic: '..' }), 'destination.topic'],
  [kafka({ topic: 'a/b' }), 'destination.topic'],
  [kafka({ key: 'colour' }), 'destination.key'],
  [kafka({ ca: 'nonsense' }), 'destination.ca'],
  [kafka({ colour: 'blue' }), 'destination.colour'],
  [kafka({ sasl: { mechanism: 'gssapi', username: 'u', password } }), 'destination.sasl.mechanism'],
  [rabbitmq({ exchange: 'é'.repeat(128) }), 'destination.exchange'],
  [rabbitmq({ username: 'a\u0000b' }), 'destination.username'],
  [rabbitmq({ routing_key: 'a', key: 'type' }), 'destination.key'],
  [{ type: 'carrier-pigeon' }, 'destination.type'],
])('%j is refused at %s', async (destination, path) => {
  expect(await faultsOf('POST', endpoints, { destination })).toContain(path);
});

test('what only HTTP can carry is refused of a broker, together with it or after it', async () => {
  const at = { validation: 'validation', format: 'format' };
  for (const [settings, path] of [
    [{ validation: 'cloudevents' }, at.validation],
    [{ format: 'cloudevents_binary' }, at.format],
  ] as const) {
    expect(await faultsOf('POST', endpoints, { destination: kafka(), ...settings })).toEqual([path]);
    const broker = await create(kafka());
    expect(await faultsOf('PATCH', broker.path, settings)).toEqual([path]);
    const { body } = await api('POST', endpoints, { url: 'https://a.example/', ...settings });
    expect(await faultsOf('PATCH', `${endpoints}/${body.id}`, { destination: kafka() })).toEqual([path]);
  }
});

test('an installation may leave kinds of destinations out', async () => {
  const other = await startTestService({
    databaseUrl: service.databaseUrl,
    config: { DESTINATION_TYPES: ['http', 'rabbitmq'] },
  });
  try {
    const refused = await call(other.baseUrl, 'POST', endpoints, { destination: kafka() });
    expect(refused.body.errors).toEqual([expect.objectContaining({ path: 'destination.type' })]);
    expect((await call(other.baseUrl, 'POST', endpoints, { destination: rabbitmq() })).status).toBe(201);
  } finally {
    await other.stop();
  }
});

test('an older version that changes the url of an endpoint takes it away from its broker', async () => {
  const { id } = await create(kafka());
  await service.context.apiPool.query(`UPDATE endpoints SET url = 'https://new.example/' WHERE id = $1`, [id]);
  expect(await target(id)).toEqual({ type: 'http', url: 'https://new.example/' });
});

test('a reseal covers the passwords of destinations', async () => {
  const { id } = await create(kafka());
  const next = Buffer.alloc(32, 9).toString('base64');
  const { apiPool, config } = service.context;
  const vault = new Vault([next, ...(config.MASTER_KEY ?? [])]);
  expect(await reseal(apiPool, vault, { batchSize: 3 })).toMatchObject({ kind: 'done', left: 0 });
  const { rows } = await apiPool.query<{ num: number }>('SELECT num FROM endpoints WHERE id = $1', [id]);
  const defaults = { retryScheduleMs: [0], timeoutMs: 1, maxInFlight: 1 };
  const loaded = (await loadTargets(apiPool, new Vault([next]), defaults, [rows[0]!.num])).get(rows[0]!.num);
  expect(loaded).toMatchObject({ target: { destination: { sasl: { password } } } });
  // What was sealed anew does not open for the service any more: this is the last test.
});
