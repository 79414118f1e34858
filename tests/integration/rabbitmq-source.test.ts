import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Channel, Connection } from 'rabbitmq-client';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { stringify } from 'yaml';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import {
  hasRabbitmq,
  type RabbitmqProcess,
  requireRabbitmq,
  startRabbitmqProcess,
} from '../support/rabbitmq-process.ts';
import { stageForTest } from '../support/stage.ts';

let rabbitmq: RabbitmqProcess;
let connection: Connection;
let channel: Channel;

beforeEach(requireRabbitmq);
beforeAll(async () => {
  if (!hasRabbitmq()) return;
  rabbitmq = await startRabbitmqProcess();
  connection = new Connection({ url: rabbitmq.url, frameMax: 128 * 1024 });
  connection.on('error', () => {});
  channel = await connection.acquire();
  await channel.confirmSelect();
});
afterAll(async () => {
  connection?.unsafeDestroy();
  await rabbitmq?.close();
});

/** A tenant, and a source of envelopes that consumes the queue of its name. */
async function serve(name: string, more: object = {}) {
  const stage = await stageForTest();
  const start = () => stage.start('api', { ROLES: 'api,ingest' });
  const service = await start();
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
  const { body: source } = await call(service.baseUrl, 'POST', '/v1/sources', {
    type: 'rabbitmq',
    name,
    tenant_id: 'acme',
    connection: { url: rabbitmq.url },
    consume: { queue: { name } },
    mapping: { format: 'envelope' },
    ...more,
  });
  const state = async () => (await call(service.baseUrl, 'GET', `/v1/sources/${source.id}`)).body;
  await eventually(state, ({ consumers }) => consumers[0]?.state === 'running');
  const stored = async (): Promise<string[]> => {
    const rows = await stage.query(
      `SELECT convert_from(body, 'UTF8')::jsonb -> 'data' ->> 'n' AS n FROM events ORDER BY id`,
    );
    return rows.map(({ n }) => n);
  };
  return { stage, service, source, state, stored, start };
}

async function publish(queue: string, body: string, properties: object = {}): Promise<void> {
  await channel.basicPublish({ routingKey: queue, durable: true, ...properties }, Buffer.from(body));
}

const event = (n: number) => JSON.stringify({ type: 'bus.tick', data: { n } });

test('a poison message is kept, told of and published as a dead letter, and does not stop the queue', async () => {
  await channel.exchangeDeclare({ exchange: 'dead', type: 'fanout', durable: true });
  await channel.queueDeclare({ queue: 'dead-letters', durable: true });
  await channel.queueBind({ exchange: 'dead', queue: 'dead-letters' });
  const on_rejected = { dead_letter_exchange: 'dead' };
  const { service, source, stored, state } = await serve('poison', { on_rejected });
  const headers = { trace: 'abc', large: 'x'.repeat(12_000), CC: ['elsewhere'] };
  await publish('poison', event(1));
  // Milliseconds where AMQP has seconds: in the year 55,000.
  const timestamp = 1_700_000_000_000;
  await publish('poison', '{"type":', { messageId: 'bad-1', contentType: 'application/json', headers, timestamp });
  await publish('poison', event(2));
  await eventually(stored, (numbers) => numbers.length === 2);
  const rejected = async () => (await call(service.baseUrl, 'GET', `/v1/sources/${source.id}/rejected`)).body;
  const { data } = await eventually(rejected, (page) => page.data?.length === 1);
  expect(data[0]).toMatchObject({ reason: 'invalid_json', body_bytes: 8, truncated: false });
  expect(data[0].attributes).toMatchObject({ message_id: 'bad-1', queue: 'poison' });
  const letter = await eventually(
    () => channel.basicGet('dead-letters'),
    (message) => message !== undefined,
  );
  // The client parses what says that it is JSON and is; this is not, and stays bytes.
  expect(Buffer.from(letter!.body).toString()).toBe('{"type":');
  expect(letter).toMatchObject({ messageId: 'bad-1', contentType: 'application/json' });
  expect(letter!.headers).toMatchObject({ trace: 'abc', 'posthorn-rejected-reason': 'invalid_json' });
  expect(letter!.headers!.CC).toBeUndefined();
  await eventually(state, ({ consumers: [{ events, rejected }] }) => events === 2 && rejected === 1);
});

test('dead letters that no queue or the broker takes stay with the reason; the others are published, and not over and over', async () => {
  await channel.exchangeDeclare({ exchange: 'picky', type: 'direct', durable: true });
  await channel.queueDeclare({ queue: 'picky', durable: true });
  await channel.queueBind({ exchange: 'picky', queue: 'picky', routingKey: 'known' });
  await channel.exchangeDeclare({ exchange: 'in', type: 'fanout', durable: true });
  const exchange = { name: 'in', type: 'fanout' };
  const consume = { exchange, bindings: [{}], queue: { name: 'picky-in' } };
  const { service, source } = await serve('picky-in', { consume, on_rejected: { dead_letter_exchange: 'picky' } });
  await channel.queueDeclare({ queue: 'picky-in', passive: true });
  const publishTo = (routingKey: string, body: string) =>
    channel.basicPublish({ exchange: 'in', routingKey, durable: true }, Buffer.from(body));
  await rabbitmq.ctl('eval', 'application:set_env(rabbit, max_message_size, 5000).');
  try {
    const path = `/v1/sources/${source.id}`;
    await call(service.baseUrl, 'POST', `${path}/pause`);
    // This channel is older than the setting.
    for (const [key, body] of PICKY) await publishTo(key, body);
    await call(service.baseUrl, 'POST', `${path}/resume`);
    const rejected = async () => (await call(service.baseUrl, 'GET', `${path}/rejected`)).body.data;
    const rows = await eventually(
      rejected,
      (found) => found?.filter((row: { dead_letter_error: unknown }) => row.dead_letter_error !== null).length === 2,
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
  const published = async () => (await channel.queueDeclare({ queue: 'picky', passive: true })).messageCount;
  const before = await published();
  expect(before).toBeGreaterThanOrEqual(3);
  await publishTo('known', 'bad 6');
  await eventually(published, (count) => count > before);
  expect(await published()).toBe(before + 1);
});

const PICKY = [
  ['known', 'bad 1'],
  ['unknown', 'bad 2'],
  ['known', 'bad 3'],
  ['known', 'x'.repeat(9_000)],
  ['known', 'bad 5'],
] as const;

test.each(['yaml', 'json'])(
  'sources of a %s file are consumed; one that is taken out of it is deleted at the next start',
  async (form) => {
    const stage = await stageForTest();
    const folder = await mkdtemp(join(tmpdir(), 'posthorn-sources-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const [path, secret] = [join(folder, `sources.${form}`), join(folder, 'password')];
    await writeFile(secret, `${rabbitmq.password}\n`);
    const connection = { hosts: [`127.0.0.1:${rabbitmq.port}`], username: rabbitmq.username, password_file: secret };
    const sourceOf = (name: string) => ({
      ...{ type: 'rabbitmq', name, tenant_id: 'acme', connection, mapping: { format: 'envelope' } },
      consume: {
        exchange: { name: `ex-${name}`, type: 'direct' },
        queue: { name },
        bindings: [{ routing_key: 'a' }],
      },
    });
    const write = (names: readonly string[]) => {
      const sources = names.map((name) => sourceOf(`${form}-${name}`));
      // Two sources have one connection here, which the writer would make an alias of.
      const yaml = () => stringify({ sources }, { aliasDuplicateObjects: false });
      return writeFile(path, form === 'json' ? JSON.stringify({ sources }) : yaml());
    };
    await write(['one', 'two']);
    const api = await stage.start('api');
    await call(api.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
    const ingest = await stage.start('ingest', { SOURCES_FILE: path });
    const list = async () => (await call(api.baseUrl, 'GET', '/v1/sources')).body.data;
    const isRunning = ({ consumers }: { consumers: { state: string }[] }) => consumers[0]?.state === 'running';
    const sources = await eventually(list, (found) => found.length === 2 && found.every(isRunning));
    expect(sources.map(({ name, origin }: { name: string; origin: string }) => [name, origin]).sort()).toEqual([
      [`${form}-one`, 'file'],
      [`${form}-two`, 'file'],
    ]);
    expect(JSON.stringify(sources)).not.toContain(rabbitmq.password);
    await channel.basicPublish({ exchange: `ex-${form}-one`, routingKey: 'a', durable: true }, Buffer.from(event(1)));
    await eventually(
      () => stage.query('SELECT id FROM events'),
      (rows) => rows.length === 1,
    );
    await ingest.kill('SIGTERM');
    await write(['two']);
    await stage.start('ingest', { SOURCES_FILE: path });
    await eventually(list, (found) => found.length === 1 && found[0].name === `${form}-two` && isRunning(found[0]));
  },
);

test('the password is never shown, and a source can be paused, resumed and deleted', async () => {
  const { service, source, stored, state } = await serve('controlled');
  const path = `/v1/sources/${source.id}`;
  expect(JSON.stringify([source, await state()])).not.toContain(rabbitmq.password);
  expect(source.config.connection).toMatchObject({
    hosts: [`127.0.0.1:${rabbitmq.port}`],
    username: rabbitmq.username,
  });
  expect((await call(service.baseUrl, 'POST', `${path}/pause`)).status).toBe(202);
  await eventually(state, ({ consumers }) => consumers[0]?.state === 'paused');
  await eventually(
    () => channel.queueDeclare({ queue: 'controlled', passive: true }),
    ({ consumerCount }) => consumerCount === 0,
  );
  await publish('controlled', event(1));
  await eventually(state, ({ lag }) => lag === 1);
  expect(await stored()).toEqual([]);
  expect((await call(service.baseUrl, 'POST', `${path}/resume`)).status).toBe(202);
  await eventually(stored, (numbers) => numbers.length === 1);
  expect((await call(service.baseUrl, 'DELETE', path)).status).toBe(204);
  await eventually(
    () => channel.queueDeclare({ queue: 'controlled', passive: true }),
    ({ consumerCount }) => consumerCount === 0,
  );
});

test('messages with an id that come again after a kill -9 are events once, and none is lost', async () => {
  const { service, stored, start, stage } = await serve('killed', {
    consume: { queue: { name: 'killed' }, prefetch: 20 },
  });
  const wanted = Array.from({ length: 400 }, (_, n) => n);
  for (const n of wanted) void publish('killed', event(n), { messageId: `m-${n}` });
  await eventually(stored, (numbers) => numbers.length > 40);
  await service.kill('SIGKILL');
  await start();
  await eventually(stored, (numbers) => new Set(numbers).size === 400);
  await eventually(
    () => channel.queueDeclare({ queue: 'killed', passive: true }),
    ({ messageCount }) => messageCount === 0,
  );
  // A producer that is not sure publishes again.
  await publish('killed', event(0), { messageId: 'm-0' });
  await publish('killed', event(400));
  await eventually(stored, (numbers) => numbers.includes('400'));
  expect(await stored()).toEqual([...wanted, 400].map(String));
  expect(await stage.query('SELECT count(*)::int AS count FROM rejected_messages')).toEqual([{ count: 0 }]);
});
