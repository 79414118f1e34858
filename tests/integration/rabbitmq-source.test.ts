import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Channel, Connection } from 'rabbitmq-client';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { stringify } from 'yaml';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { query } from '../support/query.ts';
import { hasRabbitmq, requireRabbitmq } from '../support/rabbitmq-process.ts';
import { type SharedRabbitmq, sharedRabbitmq } from '../support/shared-rabbitmq.ts';
import { stageForTest } from '../support/stage.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let rabbitmq: SharedRabbitmq;
let connection: Connection;
let channel: Channel;
/** With an API and what consumes sources. */
let service: TestService;

beforeEach(requireRabbitmq);
beforeAll(async () => {
  if (!hasRabbitmq()) return;
  [rabbitmq, service] = await Promise.all([sharedRabbitmq(), startTestService({ ingest: true })]);
  connection = new Connection({ url: rabbitmq.url, frameMax: 128 * 1024 });
  connection.on('error', () => {});
  channel = await connection.acquire();
  await channel.confirmSelect();
});
afterAll(async () => {
  connection?.unsafeDestroy();
  await service?.stop();
});

interface Place {
  readonly baseUrl: string;
  readonly databaseUrl: string;
}

/** A tenant of the name, and a source of envelopes that consumes the queue of the name. */
async function serve({ baseUrl, databaseUrl }: Place, name: string, more: object = {}) {
  await call(baseUrl, 'POST', '/v1/tenants', { id: name });
  const { body: source } = await call(baseUrl, 'POST', '/v1/sources', {
    type: 'rabbitmq',
    name,
    tenant_id: name,
    connection: { url: rabbitmq.url },
    consume: { queue: { name } },
    mapping: { format: 'envelope' },
    ...more,
  });
  const path = `/v1/sources/${source.id}`;
  const state = async () => (await call(baseUrl, 'GET', path)).body;
  await eventually(state, ({ consumers }) => consumers[0]?.state === 'running');
  const stored = async (): Promise<string[]> => {
    const rows = await query(
      databaseUrl,
      `SELECT convert_from(e.body, 'UTF8')::jsonb -> 'data' ->> 'n' AS n
         FROM events e JOIN tenants t ON t.num = e.tenant_num WHERE t.id = '${name}' ORDER BY e.id`,
    );
    return rows.map(({ n }) => n);
  };
  return { source, path, state, stored };
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
  const { path, stored, state } = await serve(service, 'poison', { on_rejected });
  const headers = { trace: 'abc', large: 'x'.repeat(12_000), CC: ['elsewhere'] };
  await publish('poison', event(1));
  // Milliseconds where AMQP has seconds: in the year 55,000.
  const timestamp = 1_700_000_000_000;
  await publish('poison', '{"type":', { messageId: 'bad-1', contentType: 'application/json', headers, timestamp });
  await publish('poison', event(2));
  await eventually(stored, (numbers) => numbers.length === 2);
  const rejected = async () => (await call(service.baseUrl, 'GET', `${path}/rejected`)).body;
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

test('sources of a file, of YAML or of JSON, are consumed; one that is taken out of it is deleted at the next start', async () => {
  const stage = await stageForTest();
  const api = await startTestService({ databaseUrl: stage.databaseUrl });
  onTestFinished(() => api.stop());
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-sources-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const secret = join(folder, 'password');
  await writeFile(secret, `${rabbitmq.password}\n`);
  const sourceOf = (name: string) => ({
    ...{ type: 'rabbitmq', name, tenant_id: 'acme', mapping: { format: 'envelope' } },
    connection: { hosts: [`127.0.0.1:${rabbitmq.port}`], username: rabbitmq.username, password_file: secret },
    consume: { exchange: { name: `ex-${name}`, type: 'direct' }, queue: { name }, bindings: [{ routing_key: 'a' }] },
  });
  const publishTo = (name: string, n: number) =>
    channel.basicPublish({ exchange: `ex-${name}`, routingKey: 'a', durable: true }, Buffer.from(event(n)));
  const events = (count: number) =>
    eventually(
      () => stage.query('SELECT id FROM events'),
      (rows) => rows.length === count,
    );
  const list = async () => (await call(api.baseUrl, 'GET', '/v1/sources')).body.data;
  const isRunning = ({ consumers }: { consumers: { state: string }[] }) => consumers[0]?.state === 'running';
  await call(api.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });

  const [yaml, json] = [join(folder, 'sources.yaml'), join(folder, 'sources.json')];
  await writeFile(yaml, stringify({ sources: ['filed-one', 'filed-two'].map(sourceOf) }));
  const first = await stage.start('ingest', { SOURCES_FILE: yaml });
  const sources = await eventually(list, (found) => found.length === 2 && found.every(isRunning));
  expect(sources.map(({ name, origin }: { name: string; origin: string }) => [name, origin]).sort()).toEqual([
    ['filed-one', 'file'],
    ['filed-two', 'file'],
  ]);
  expect(JSON.stringify(sources)).not.toContain(rabbitmq.password);
  await publishTo('filed-one', 1);
  await events(1);
  await first.kill('SIGTERM');
  await writeFile(json, JSON.stringify({ sources: [sourceOf('filed-two')] }));
  await stage.start('ingest', { SOURCES_FILE: json });
  await eventually(list, (found) => found.length === 1 && found[0].name === 'filed-two' && isRunning(found[0]));
  await publishTo('filed-two', 2);
  await events(2);
});

test('the password is never shown, and a source can be paused, resumed and deleted', async () => {
  const { source, path, stored, state } = await serve(service, 'controlled');
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
  const stage = await stageForTest();
  const start = () => stage.start('api,ingest');
  const killed = await start();
  const place = { baseUrl: killed.baseUrl, databaseUrl: stage.databaseUrl };
  const { stored } = await serve(place, 'killed', { consume: { queue: { name: 'killed' }, prefetch: 20 } });
  const wanted = Array.from({ length: 400 }, (_, n) => n);
  for (const n of wanted) void publish('killed', event(n), { messageId: `m-${n}` });
  await eventually(stored, (numbers) => numbers.length > 40);
  await killed.kill('SIGKILL');
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
