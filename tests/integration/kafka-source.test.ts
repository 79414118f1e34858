import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Base, kGetApi, ProtocolError } from '@platformatic/kafka';
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { type KafkaSource, sourceInput } from '../../src/config/source-schema.ts';
import { Refusal } from '../../src/domain/errors.ts';
import type { IncomingMessage, Intake } from '../../src/sources/intake.ts';
import { createKafkaConsumer } from '../../src/sources/kafka-consumer.ts';
import type { SourceStarts } from '../../src/store/source-starts.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { createSource, kafkaSource, untilSource } from '../support/kafka-source.ts';
import { query } from '../support/query.ts';
import { hasKafka, requireKafka } from '../support/require-kafka.ts';
import { type SharedKafka, sharedKafka } from '../support/shared-kafka.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let kafka: SharedKafka | undefined;
let service: TestService;
let topics = 0;

beforeAll(async () => {
  if (hasKafka()) kafka = await sharedKafka();
});
afterAll(() => kafka?.close());

beforeEach(async (context) => {
  requireKafka(context);
  service = await startTestService({ ingest: true });
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
});
afterEach(() => service?.stop());

async function newTopic(partitions = 1): Promise<string> {
  const topic = `orders-${++topics}`;
  await kafka!.createTopic(topic, partitions);
  return topic;
}

const event = (n: number, more: object = {}) => JSON.stringify({ type: 'order.created', data: { n }, ...more });

/** What a consumer of a test has of its surroundings. */
const alone = {
  recallStarts: (_: string, look: () => Promise<SourceStarts>) => look(),
  onFailure: () => {},
  onOutOfRange: () => {},
  onStartDeleted: () => {},
  onHolding: () => {},
};

/** Every event's `data.n`, in the order of the log. */
async function logged(count: number): Promise<number[]> {
  const ask = async () => {
    const rows = await query(service.databaseUrl, 'SELECT body FROM events ORDER BY id');
    return rows.map(({ body }) => JSON.parse(body.toString()).data.n as number);
  };
  return eventually(ask, (found) => found.length >= count);
}

const rejectedOf = async (id: string, more = '') =>
  (await call(service.baseUrl, 'GET', `/v1/sources/${id}/rejected${more}`)).body.data;

test('messages of every partition become events, in the order of each partition, and the broker is told', async () => {
  const topic = await newTopic(3);
  const id = await createSource(service.baseUrl, kafkaSource(kafka!.broker, [topic]));
  const messages = Array.from({ length: 300 }, (_, n) => ({ topic, partition: n % 3, value: event(n) }));
  await kafka!.send(messages);
  const found = await logged(300);
  expect(found).toHaveLength(300);
  for (const partition of [0, 1, 2]) {
    const ours = found.filter((n) => n % 3 === partition);
    expect(ours).toEqual([...ours].sort((a, b) => a - b));
  }
  await eventually(
    () => kafka!.committed(`posthorn-${topic}`),
    (offsets) => [0, 1, 2].every((partition) => offsets.get(`${topic}/${partition}`) === 100),
  );
  const source = await untilSource(
    service.baseUrl,
    id,
    ({ lag, consumers }) => lag === 0 && consumers[0].events === 300,
  );
  expect(source.consumers[0]).toMatchObject({ state: 'running', error: null, duplicates: 0, rejected: 0 });
  expect(source.consumers[0].lag).toHaveLength(3);
});

test('a message whose own id or idempotency key is known is no second event; with another body it is rejected', async () => {
  const topic = await newTopic();
  const id = await createSource(service.baseUrl, kafkaSource(kafka!.broker, [topic]));
  const values = [event(1), event(1), event(2, { id: 'known' }), event(2, { id: 'known' }), event(3, { id: 'known' })];
  await kafka!.send(values.map((value) => ({ topic, value })));
  const rows = await eventually(
    () => rejectedOf(id),
    (found) => found.length === 1,
  );
  expect(rows[0]).toMatchObject({ reason: 'idempotency_conflict', position: `${topic}/0/4` });
  expect(await logged(3)).toEqual([1, 1, 2]);
});

test('a poison message is kept with its reason, and what stands behind it is taken', async () => {
  const topic = await newTopic();
  const id = await createSource(service.baseUrl, kafkaSource(kafka!.broker, [topic]));
  const bad = [
    '{',
    '',
    Buffer.from([0xff, 0xfe]),
    '[]',
    '{"type":"order.created"}',
    event(1, { tenant_id: 'other' }),
    `"${'x'.repeat(300_000)}"`,
    event(1, { data: 'x'.repeat(300_000) }),
  ];
  await kafka!.send([...bad.map((value) => ({ topic, value })), { topic, value: event(7) }]);
  expect(await logged(1)).toEqual([7]);
  const rows = await eventually(
    () => rejectedOf(id),
    (found) => found.length === bad.length,
  );
  expect(rows.map(({ reason }: { reason: string }) => reason).reverse()).toEqual([
    'invalid_json',
    'invalid_json',
    'invalid_json',
    'invalid_event',
    'invalid_event',
    'tenant_not_found',
    'invalid_event',
    'too_large',
  ]);
  expect(rows.find(({ reason }: { reason: string }) => reason === 'tenant_not_found').errors).toEqual([
    { path: 'tenant_id', message: 'the source takes messages of the tenant acme alone' },
  ]);
  expect(rows.at(-1)).toMatchObject({ position: `${topic}/0/0`, group: `${topic}/0`, truncated: false, attempts: 1 });
  const { body } = await call(service.baseUrl, 'GET', `/v1/sources/${id}/rejected/${rows.at(-1).id}`);
  expect(Buffer.from(body.body_base64, 'base64').toString()).toBe('{');
  expect(rows[1]).toMatchObject({ truncated: true, body_bytes: 300_002 });
  await eventually(
    () => kafka!.committed(`posthorn-${topic}`),
    (offsets) => offsets.get(`${topic}/0`) === bad.length + 1,
  );
});

test('rejected messages that are tried again become events once what was wrong is mended; others stay, with what is wrong now', async () => {
  const topic = await newTopic();
  const id = await createSource(service.baseUrl, kafkaSource(kafka!.broker, [topic], { tenant_id: undefined }));
  await kafka!.send([
    { topic, value: event(1, { tenant_id: 'late' }) },
    { topic, value: event(2, { tenant_id: 'never' }) },
  ]);
  await eventually(
    () => rejectedOf(id),
    (found) => found.length === 2,
  );
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'late' });
  const retry = await call(service.baseUrl, 'POST', `/v1/sources/${id}/rejected/retry`, {});
  expect([retry.status, retry.body]).toEqual([202, { messages: 2 }]);
  expect(await logged(1)).toEqual([1]);
  const left = await eventually(
    () => rejectedOf(id),
    (found) => found.length === 1 && found[0].attempts === 2,
  );
  expect(left[0]).toMatchObject({ position: `${topic}/0/1`, reason: 'tenant_not_found', retry_requested: false });
  const discard = await call(service.baseUrl, 'POST', `/v1/sources/${id}/rejected/discard`, {
    reason: 'tenant_not_found',
  });
  expect(discard.body).toEqual({ messages: 1 });
  expect(await rejectedOf(id)).toEqual([]);
});

test('rejected messages are published to the dead-letter topic with what is wrong', async () => {
  const [topic, dead] = [await newTopic(), await newTopic()];
  await createSource(
    service.baseUrl,
    kafkaSource(kafka!.broker, [topic], { on_rejected: { dead_letter_topic: dead } }),
  );
  const mapping = {
    format: 'mapped',
    type: 'const:dead.letter',
    correlation_id: 'header:posthorn-rejected-position',
    subject: 'header:posthorn-rejected-reason',
    data: 'text',
  };
  await createSource(service.baseUrl, kafkaSource(kafka!.broker, [dead], { mapping }));
  await kafka!.send([{ topic, value: 'no event' }]);
  const [row] = await eventually(
    () => query(service.databaseUrl, 'SELECT body FROM events'),
    (rows) => rows.length === 1,
  );
  expect(JSON.parse(row.body)).toMatchObject({
    type: 'dead.letter',
    subject: 'invalid_json',
    correlation_id: `${topic}/0/0`,
    data: 'no event',
  });
});

test('dead letters that are more than a batch of Kafka may have are published all the same', async () => {
  const topic = await newTopic();
  const dead = await newTopic();
  for (let n = 0; n < 8; n++) await kafka!.send([{ topic, value: 'x'.repeat(200_000) }]);
  const more = { on_rejected: { dead_letter_topic: dead } };
  const id = await createSource(service.baseUrl, kafkaSource(kafka!.broker, [topic], more));
  await eventually(
    () => rejectedOf(id),
    (found) => found.length === 8,
  );
  const unpublished = () => query(service.databaseUrl, 'SELECT id FROM rejected_messages WHERE publish');
  await eventually(unpublished, (rows) => rows.length === 0);
});

test('a dead letter that its topic does not take stays with the reason, and the others are published all the same', async () => {
  const [topic, dead] = [await newTopic(), `small-${topics}`];
  await kafka!.createTopic(dead, 1, { 'max.message.bytes': '4000' });
  const bodies = ['bad 1', 'x'.repeat(9_000), 'bad 2', 'bad 3'];
  await kafka!.send(bodies.map((value) => ({ topic, value })));
  const more = { on_rejected: { dead_letter_topic: dead } };
  const id = await createSource(service.baseUrl, kafkaSource(kafka!.broker, [topic], more));
  const rows = await eventually(
    () => rejectedOf(id),
    (found) => found.length === 4 && found.some((row: { dead_letter_error: unknown }) => row.dead_letter_error),
  );
  expect(rows.map((row: { dead_letter_error: unknown }) => row.dead_letter_error).reverse()).toEqual([
    null,
    'MESSAGE_TOO_LARGE',
    null,
    null,
  ]);
  // They may be kept, and published, in more than one round.
  const waiting = () => query(service.databaseUrl, 'SELECT position FROM rejected_messages WHERE publish');
  expect(await eventually(waiting, ({ length }) => length === 1)).toEqual([{ position: `${topic}/0/1` }]);
  await kafka!.send([{ topic, value: 'bad 4' }]);
  await eventually(
    () => query(service.databaseUrl, 'SELECT publish FROM rejected_messages ORDER BY id DESC'),
    (found) => found.length === 5 && found[0].publish === false,
  );
});

test('of a source that has more rejected messages than it may the oldest are dropped, which is counted and logged', async () => {
  const topic = await newTopic();
  await service.stop();
  service = await startTestService({ ingest: true, config: { REJECTED_MESSAGES_PER_SOURCE: 100 } });
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
  const id = await createSource(service.baseUrl, kafkaSource(kafka!.broker, [topic]));
  await kafka!.send(Array.from({ length: 1_250 }, (_, n) => ({ topic, value: `bad ${n}` })));
  await kafka!.send([{ topic, value: event(1) }]);
  expect(await logged(1)).toEqual([1]);
  // Before all are kept those of an earlier round may be left.
  const { consumers } = await untilSource(service.baseUrl, id, (source) => source.consumers[0]?.rejected === 1_250);
  expect(consumers[0].state).toBe('running');
  const left = () => query(service.databaseUrl, 'SELECT position FROM rejected_messages ORDER BY id');
  const rows = await eventually(left, ({ length }) => length === 100);
  const last = Array.from({ length: 100 }, (_, i) => `${topic}/0/${1_150 + i}`);
  expect(rows.map(({ position }) => position).sort()).toEqual(last.sort());
  // Counted once the row's deletion is committed, and so a little later than it is seen.
  await eventually(
    () => service.context.observe.metrics.text(),
    (metrics) => metrics.includes('posthorn_source_rejected_messages_dropped_total 1150\n'),
  );
});

test('a paused source takes nothing in, and goes on when it is resumed', async () => {
  const topic = await newTopic();
  const id = await createSource(service.baseUrl, kafkaSource(kafka!.broker, [topic]));
  await untilSource(service.baseUrl, id, ({ consumers }) => consumers[0]?.state === 'running');
  await call(service.baseUrl, 'POST', `/v1/sources/${id}/pause`);
  await untilSource(service.baseUrl, id, ({ consumers }) => consumers[0]?.state === 'paused');
  await kafka!.send([{ topic, value: event(1) }]);
  await untilSource(service.baseUrl, id, ({ lag }) => lag === 1);
  expect(await query(service.databaseUrl, 'SELECT 1 FROM events')).toEqual([]);
  await call(service.baseUrl, 'POST', `/v1/sources/${id}/resume`);
  expect(await logged(1)).toEqual([1]);
});

test('topics that match a pattern are consumed, those that come later too', async () => {
  const [first, second] = [`shop-${++topics}-a`, `shop-${topics}-b`];
  await kafka!.createTopic(first, 1);
  const consume = { pattern: `shop-${topics}-.*`, group: `shop-${topics}` };
  await createSource(service.baseUrl, kafkaSource(kafka!.broker, [first], { consume }));
  await kafka!.send([{ topic: first, value: event(1) }]);
  await logged(1);
  await kafka!.createTopic(second, 1);
  await kafka!.send([{ topic: second, value: event(2) }]);
  expect(await logged(2)).toEqual([1, 2]);
});

test('a pattern that matches the dead-letter topic of its source does not have it read its own dead letters', async () => {
  const topic = await newTopic();
  const dead = `${topic}.rejected`;
  await kafka!.createTopic(dead, 1);
  const own = { consume: { pattern: `${topic}.*`, group: topic }, on_rejected: { dead_letter_topic: dead } };
  await createSource(service.baseUrl, kafkaSource(kafka!.broker, [topic], own));
  await kafka!.send([{ topic: dead, value: event(1) }]);
  await kafka!.send([{ topic, value: event(2) }]);
  expect(await logged(1)).toEqual([2]);
});

test('a source that begins with the latest takes what comes after it began, though nothing was taken before a rebalance', async () => {
  const topic = await newTopic();
  await kafka!.send([{ topic, value: event(0) }]);
  const consume = { topics: [topic], group: `posthorn-${topic}`, start: 'latest' };
  const id = await createSource(service.baseUrl, kafkaSource(kafka!.broker, [topic], { consume }));
  await untilSource(service.baseUrl, id, ({ lag }) => lag === 0);
  expect((await kafka!.committed(`posthorn-${topic}`)).get(`${topic}/0`)).toBe(1);
  await kafka!.send([{ topic, value: event(1) }]);
  expect(await logged(1)).toEqual([1]);
});

test('a source that begins with the latest takes all of a topic or partition that is made after it began', async () => {
  const prefix = `later-${++topics}`;
  const [old, made] = [`${prefix}-old`, `${prefix}-made`];
  await kafka!.createTopic(old, 1);
  await kafka!.send([{ topic: old, value: event(0) }]);
  const consume = { pattern: `${prefix}-.*`, group: prefix, start: 'latest' };
  const id = await createSource(service.baseUrl, kafkaSource(kafka!.broker, [old], { consume }));
  await untilSource(service.baseUrl, id, ({ lag }) => lag === 0);
  // All of it is there before anybody has looked which topics there are now.
  await kafka!.createTopic(made, 1);
  await kafka!.addPartitions(old, 2);
  await kafka!.send([
    { topic: made, value: event(1) },
    { topic: old, partition: 1, value: event(2) },
  ]);
  expect((await logged(2)).sort()).toEqual([1, 2]);
});

test('what came while no process consumed a source that begins with the latest is taken, of a topic made meanwhile too', async () => {
  await service.stop();
  service = await startTestService();
  const { databaseUrl } = service;
  let ingest = await startTestService({ ingest: true, databaseUrl });
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
  const [topic, made] = [await newTopic(), `orders-${topics}-made`];
  await kafka!.send([{ topic, value: event(0) }]);
  const consume = { topics: [topic, made], group: `posthorn-${topic}`, start: 'latest' };
  const id = await createSource(service.baseUrl, kafkaSource(kafka!.broker, [topic], { consume }));
  await untilSource(service.baseUrl, id, ({ lag }) => lag === 0);
  await ingest.stop();
  await kafka!.createTopic(made, 1);
  await kafka!.send([topic, made].map((each, n) => ({ topic: each, value: event(n + 1) })));
  ingest = await startTestService({ ingest: true, databaseUrl });
  expect((await logged(2).finally(() => ingest.stop())).sort()).toEqual([1, 2]);
});

test("a tenant's limit slows its partition, refuses nothing and lets the other partitions go on", async () => {
  const topic = await newTopic(2);
  const limits = { events_per_second: 5, burst_events: 5 };
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'slow', limits });
  const id = await createSource(service.baseUrl, kafkaSource(kafka!.broker, [topic], { tenant_id: undefined }));
  const messages = Array.from({ length: 40 }, (_, n) => ({
    topic,
    partition: n % 2,
    value: event(n, { tenant_id: n % 2 === 0 ? 'slow' : 'acme' }),
  }));
  const sentMs = performance.now();
  await kafka!.send(messages);
  const all = await logged(40);
  // Beyond the burst, 15 events at five a second.
  expect(performance.now() - sentMs).toBeGreaterThan(2_500);
  const lastOf = (rest: number) => all.findLastIndex((n) => n % 2 === rest);
  expect(lastOf(1)).toBeLessThan(lastOf(0));
  expect(all.filter((n) => n % 2 === 0)).toEqual(Array.from({ length: 20 }, (_, i) => i * 2));
  expect(await rejectedOf(id)).toEqual([]);
});

test('a broker that cannot be reached is told of, without secrets, and found again', async () => {
  const description = kafkaSource('127.0.0.1:1', ['nowhere'], {
    connection: { brokers: ['127.0.0.1:1'], sasl: { mechanism: 'PLAIN', username: 'me', password: 'very-secret' } },
  });
  const id = await createSource(service.baseUrl, description);
  const source = await untilSource(service.baseUrl, id, ({ consumers }) => consumers[0]?.state === 'failing');
  expect(source.consumers[0].error).toMatch(/127\.0\.0\.1/);
  expect(JSON.stringify(source)).not.toContain('very-secret');
});

test('batches that are too large together once they are inflated are taken one by one', async () => {
  const topic = await newTopic(2);
  const large = Buffer.alloc(4 * 1024 * 1024);
  for (let n = 0; n < 40; n++)
    await kafka!.send([{ topic, partition: n % 2, value: large }], n % 4 < 2 ? 'gzip' : 'zstd');
  for (const n of [0, 1]) await kafka!.send([{ topic, partition: n, value: event(n) }]);
  const id = await createSource(service.baseUrl, kafkaSource(kafka!.broker, [topic]));
  expect((await logged(2)).sort()).toEqual([0, 1]);
  await untilSource(service.baseUrl, id, ({ consumers }) =>
    consumers.every(({ state }: { state: string }) => state === 'running'),
  );
  expect(await rejectedOf(id, '?limit=100')).toHaveLength(40);
});

test('a batch that cannot be taken into memory holds its partition up and is named; the others of its source go on, and it does once the group is past it', async () => {
  const [bad, good] = [await newTopic(2), await newTopic()];
  const description = kafkaSource(kafka!.broker, [bad, good]);
  const joins = countJoins(`posthorn-${bad}`);
  const id = await createSource(service.baseUrl, description);
  const toBad = (value: string | Buffer) => ({ topic: bad, partition: 0, value });
  await kafka!.send([toBad(event(0))]);
  await kafka!.send(Array(3).fill(toBad(Buffer.alloc(30 * 1024 * 1024))), 'gzip');
  await kafka!.send([toBad(event(5))]);
  const isHeld = ({ state, error }: { state: string; error: string | null }) =>
    state === 'failing' && (error?.includes(`in ${bad}/0 up to offset 3 cannot be taken into memory`) ?? false);
  const untilHeld = () => untilSource(service.baseUrl, id, ({ consumers }) => consumers.some(isHeld));
  await untilHeld();
  const before = joins();
  await kafka!.send([1, 3].map((n) => ({ topic: bad, partition: 1, value: event(n) })));
  await kafka!.send([2, 4].map((n) => ({ topic: good, value: event(n) })));
  expect((await logged(5)).sort()).toEqual([0, 1, 2, 3, 4]);
  await untilHeld();
  expect([before, joins()]).toEqual([1, 1]);
  await call(service.baseUrl, 'DELETE', `/v1/sources/${id}`);
  const move = () =>
    kafka!.moveGroup(`posthorn-${bad}`, bad, [4, 2]).then(
      () => true,
      () => false,
    );
  await eventually(move, (isMoved) => isMoved);
  await createSource(service.baseUrl, description);
  expect(await logged(6)).toContain(5);
});

test('what was deleted before it was read is counted, and the group is where reading goes on, also where nothing is left', async () => {
  const topic = await newTopic(2);
  const group = `posthorn-${topic}`;
  await kafka!.send(Array.from({ length: 10 }, (_, n) => ({ topic, partition: n % 2, value: event(n) })));
  await kafka!.moveGroup(group, topic, [1, 1]);
  await kafka!.deleteBefore(topic, 0, 3);
  await kafka!.deleteBefore(topic, 1, 5);
  const id = await createSource(service.baseUrl, kafkaSource(kafka!.broker, [topic]));
  expect(await logged(2)).toEqual([6, 8]);
  await eventually(
    () => kafka!.committed(group),
    (offsets) => [0, 1].every((partition) => offsets.get(`${topic}/${partition}`) === 5),
  );
  const { consumers } = await untilSource(service.baseUrl, id, ({ lag }) => lag === 0);
  expect(consumers[0]).toMatchObject({ state: 'running', error: null });
  expect(await service.context.observe.metrics.text()).toContain(
    'posthorn_source_lost_offsets_total{reason="deleted"} 6\n',
  );
});

test('a partition that ends before the place of its group is held and named, and nothing of it is read again; it goes on once the group is set', async () => {
  const topic = await newTopic(2);
  const group = `posthorn-${topic}`;
  await kafka!.send(Array.from({ length: 6 }, (_, n) => ({ topic, partition: n % 2, value: event(n) })));
  await kafka!.moveGroup(group, topic, [50, 0]);
  const description = kafkaSource(kafka!.broker, [topic]);
  const id = await createSource(service.baseUrl, description);
  const held = `The group is at offset 50 in ${topic}/0, but the partition ends at 3`;
  const isHeld = ({ state, error }: { state: string; error: string | null }) =>
    state === 'failing' && error?.startsWith(held) === true;
  const untilHeld = () => untilSource(service.baseUrl, id, ({ consumers }) => consumers.some(isHeld));
  await untilHeld();
  await kafka!.send([0, 1].map((partition) => ({ topic, partition, value: event(6 + partition) })));
  expect(await logged(4)).toEqual([1, 3, 5, 7]);
  await untilHeld();
  expect((await kafka!.committed(group)).get(`${topic}/0`)).toBe(50);
  expect(await service.context.observe.metrics.text()).toContain(
    'posthorn_source_lost_offsets_total{reason="cut_off"} 47\n',
  );
  const heldText = 'posthorn_source_held_partitions{reason="cut_off"}';
  expect(await service.context.observe.metrics.text()).toContain(`${heldText} 1\n`);
  const ofHeld = ({ part }: { part: string }) => part === `${topic}/0`;
  await untilSource(service.baseUrl, id, ({ consumers }) => consumers[0]?.lag.find(ofHeld)?.messages === null);
  await call(service.baseUrl, 'DELETE', `/v1/sources/${id}`);
  await eventually(
    () => service.context.observe.metrics.text(),
    (text) => text.includes(`${heldText} 0\n`),
  );
  const move = () =>
    kafka!.moveGroup(group, topic, [3, 4]).then(
      () => true,
      () => false,
    );
  await eventually(move, (isMoved) => isMoved);
  await createSource(service.baseUrl, description);
  expect(await logged(5)).toEqual([1, 3, 5, 7, 6]);
});

test('places that are not there are found too where each fetch is refused first and tried again, as after each election, and the membership goes on', async () => {
  const topic = await newTopic(2);
  const group = `posthorn-${topic}`;
  await kafka!.send(Array.from({ length: 10 }, (_, n) => ({ topic, partition: n % 2, value: event(n) })));
  await kafka!.moveGroup(group, topic, [1, 50]);
  await kafka!.deleteBefore(topic, 0, 3);
  const joins = countJoins(group);
  refuseEveryOther('FENCED_LEADER_EPOCH');
  const id = await createSource(service.baseUrl, kafkaSource(kafka!.broker, [topic]));
  expect(await logged(2)).toEqual([6, 8]);
  const held = `The group is at offset 50 in ${topic}/1, but the partition ends at 5`;
  await untilSource(service.baseUrl, id, ({ consumers }) => consumers[0]?.error?.startsWith(held));
  const text = await service.context.observe.metrics.text();
  expect(text).toContain('posthorn_source_lost_offsets_total{reason="deleted"} 2\n');
  expect(text).toContain('posthorn_source_lost_offsets_total{reason="cut_off"} 45\n');
  expect(joins()).toBe(1);
});

/** Of what is fetched here every other request fails before it is sent. */
function refuseEveryOther(refusal: 'FENCED_LEADER_EPOCH'): void {
  type Call = (...parameters: unknown[]) => void;
  type Given = (error: unknown, api?: Call) => void;
  const client = Base.prototype as unknown as Record<symbol, (name: string, given: Given) => void>;
  const beneath = client[kGetApi]!;
  let requests = 0;
  const fake = vi.spyOn(client, kGetApi).mockImplementation(function (this: unknown, name, given) {
    beneath.call(this, name, (error, api) => {
      if (name !== 'Fetch' || api === undefined) return given(error, api);
      const asked: Call = (...parameters) => {
        if (requests++ % 2 === 1) return api(...parameters);
        (parameters.at(-1) as Given)(new ProtocolError(refusal));
      };
      given(null, Object.assign(asked, api));
    });
  });
  onTestFinished(() => fake.mockRestore());
}

/** @returns how often this process has joined the group since */
function countJoins(groupId: string): () => number {
  let count = 0;
  const onStart = (message: unknown) => {
    const { client, operation } = message as { client: { groupId: string }; operation: string };
    if (client.groupId === groupId && operation === 'joinGroup') count++;
  };
  subscribe('tracing:plt:kafka:consumer:group:start', onStart);
  onTestFinished(() => void unsubscribe('tracing:plt:kafka:consumer:group:start', onStart));
  return () => count;
}

test('CloudEvents come in both modes, the tenant from the declared extension', async () => {
  const topic = await newTopic();
  const mapping = { format: 'cloudevents', tenant_extension: 'customer' };
  const id = await createSource(
    service.baseUrl,
    kafkaSource(kafka!.broker, [topic], { tenant_id: undefined, mapping }),
  );
  const attributes = {
    specversion: '1.0',
    id: 'c-1',
    source: '/shop',
    type: 'shop.paid',
    subject: 's-1',
    customer: 'acme',
  };
  const asHeaders = Object.entries({ ...attributes, id: 'c-2' }).map(([name, value]) => [`ce_${name}`, value]);
  const structured = { 'content-type': 'application/cloudevents+json; charset=UTF-8' };
  const binary = { ...Object.fromEntries(asHeaders), 'content-type': 'application/json' };
  await kafka!.send([
    { topic, value: JSON.stringify({ ...attributes, data: { n: 1 } }), headers: structured },
    { topic, value: '{"n":2}', headers: binary },
    { topic, value: JSON.stringify({ ...attributes, data: { n: 1 } }), headers: structured },
    { topic, value: '{"n":3}', headers: { ...binary, ce_id: 'c-3', ce_customer: 'nobody' } },
  ]);
  expect(await logged(2)).toEqual([1, 2]);
  const source = await untilSource(service.baseUrl, id, ({ consumers }) => consumers[0]?.rejected === 1);
  expect(source.consumers[0]).toMatchObject({ events: 2, duplicates: 1, rejected: 1 });
  const rows = await query(service.databaseUrl, 'SELECT body, subject FROM events ORDER BY id');
  expect(rows.map(({ subject }) => subject)).toEqual(['s-1', 's-1']);
});

test('while messages cannot be stored nothing is told to Kafka and the state says why; then it goes on by itself, each once', async () => {
  const topic = await newTopic(2);
  const source = sourceInput.parse(kafkaSource(kafka!.broker, [topic])) as KafkaSource;
  const taken: string[] = [];
  let isAway = true;
  let refused = 0;
  const intake: Intake = async (messages) => {
    if (isAway) refused++;
    if (isAway) throw new Refusal(503, 'overloaded', 'The buffer is full.');
    taken.push(...messages.map(({ position }) => position));
  };
  const consumer = createKafkaConsumer({ source, clientId: 'waits', intake, ...alone });
  const abort = new AbortController();
  const ran = consumer.run(abort.signal);
  await kafka!.send(Array.from({ length: 60 }, (_, n) => ({ topic, partition: n % 2, value: event(n) })));
  await eventually(
    async () => refused,
    (count) => count >= 3,
  );
  expect(consumer.state()).toMatchObject({ kind: 'waiting', error: 'The buffer is full.' });
  const committed = () => kafka!.committed(`posthorn-${topic}`);
  expect([...(await committed()).values()].filter((offset) => offset > 0)).toEqual([]);
  isAway = false;
  await eventually(committed, (offsets) => [0, 1].every((each) => offsets.get(`${topic}/${each}`) === 30));
  expect(consumer.state()).toMatchObject({ kind: 'running', error: null });
  abort.abort();
  await ran;
  for (const partition of [0, 1])
    expect(taken.filter((position) => position.startsWith(`${topic}/${partition}/`))).toEqual(
      Array.from({ length: 30 }, (_, offset) => `${topic}/${partition}/${offset}`),
    );
});

test('a rebalance in mid-batch: what one member had under way and another reads again is one event, in its order', async () => {
  const topic = await newTopic(4);
  const source = sourceInput.parse(kafkaSource(kafka!.broker, [topic])) as KafkaSource;
  const log = new Map<string, number>();
  const store = (messages: readonly IncomingMessage[]) => {
    for (const { identity, body } of messages)
      if (!log.has(identity!)) log.set(identity!, JSON.parse(Buffer.from(body).toString()).data.n);
  };
  const abort = new AbortController();
  const begin = (clientId: string, intake: Intake) =>
    createKafkaConsumer({ source, clientId, intake, ...alone }).run(abort.signal);
  const gate = Promise.withResolvers<void>();
  let held: readonly IncomingMessage[] = [];
  const first = begin('first', async (messages) => {
    if (held.length === 0) {
      held = messages;
      await gate.promise;
    }
    store(messages);
  });
  const send = (from: number, to: number) =>
    kafka!.send(
      Array.from({ length: to - from }, (_, i) => ({ topic, partition: (from + i) % 4, value: event(from + i) })),
    );
  await send(0, 200);
  await eventually(async () => held.length, Boolean);
  const second = begin('second', async (messages) => store(messages));
  // The second member reads what the first one still has in its hands: nothing of that is committed.
  await eventually(async () => log.size, Boolean);
  gate.resolve();
  await send(200, 400);
  await eventually(
    async () => log.size,
    (size) => size === 400,
  );
  abort.abort();
  await Promise.all([first, second]);
  for (const partition of [0, 1, 2, 3]) {
    const ours = [...log.values()].filter((n) => n % 4 === partition);
    expect(ours).toEqual(Array.from({ length: 100 }, (_, i) => partition + 4 * i));
  }
});

test('what a producer took back is no event, in however many transactions, and what it kept is', async () => {
  const topic = await newTopic();
  const large = 'x'.repeat(200_000);
  const one = (n: number) => [{ topic, value: event(n) }];
  await kafka!.transact('abort', one(1));
  await kafka!.transact('commit', one(2));
  await kafka!.transact('abort', one(3));
  // More than is fetched at once, so that its end is in another answer than its beginning.
  const many = Array.from({ length: 12 }, (_, i) => ({ topic, value: event(10 + i, { data: { n: 10 + i, large } }) }));
  await kafka!.transact('abort', many);
  await kafka!.transact('commit', one(4));
  await kafka!.send(one(5));
  const id = await createSource(service.baseUrl, kafkaSource(kafka!.broker, [topic]));
  await untilSource(service.baseUrl, id, ({ lag }) => lag === 0);
  expect(await logged(3)).toEqual([2, 4, 5]);
});

test('a partition that ends in the mark of a transaction, or in what was taken back, is not behind', async () => {
  const topic = await newTopic();
  const id = await createSource(service.baseUrl, kafkaSource(kafka!.broker, [topic]));
  const atEnd = async (end: number) => {
    await eventually(
      () => kafka!.committed(`posthorn-${topic}`),
      (offsets) => offsets.get(`${topic}/0`) === end,
    );
    await untilSource(service.baseUrl, id, ({ lag }) => lag === 0);
  };
  await kafka!.transact('commit', [{ topic, value: event(1) }]);
  await logged(1);
  await atEnd(2);
  await kafka!.transact('abort', [{ topic, value: event(2) }]);
  await atEnd(4);
  await kafka!.send([{ topic, value: event(3) }]);
  expect(await logged(2)).toEqual([1, 3]);
});

test('a topic that was deleted and made anew gives new messages, though their offsets were there before', async () => {
  const topic = await newTopic();
  const id = await createSource(service.baseUrl, kafkaSource(kafka!.broker, [topic]));
  await kafka!.send([{ topic, value: event(1) }]);
  await logged(1);
  await kafka!.deleteTopic(topic);
  await untilSource(service.baseUrl, id, ({ consumers }) => consumers[0]?.state === 'failing');
  await kafka!.createTopic(topic, 1);
  await kafka!.send([{ topic, value: event(2) }]);
  expect(await logged(2)).toEqual([1, 2]);
});
