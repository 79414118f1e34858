import { type Channel, Connection } from 'rabbitmq-client';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
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
