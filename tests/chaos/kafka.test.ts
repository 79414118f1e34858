import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { fetchKafka } from '../support/kafka-jars.ts';
import { type KafkaProcess, requireKafka, startKafkaProcess } from '../support/kafka-process.ts';
import { createSource, kafkaSource, untilSource } from '../support/kafka-source.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { startPostgresProcess } from '../support/postgres-process.ts';
import { createEndpoint, type Stage, stageForTest, TENANT } from '../support/stage.ts';

/** Kafka waits for the session of a dead member to run out, on top of everything else. */
const LONG_MS = 2 * PATIENCE_MS;
const PARTITIONS = 4;

let kafka: KafkaProcess | undefined;
let topics = 0;

beforeAll(async () => {
  if (fetchKafka().kind === 'there') kafka = await startKafkaProcess();
});
afterAll(() => kafka?.close());
beforeEach((context) => requireKafka(context));

/** A topic, a tenant and a source that consumes it. */
async function prepare(baseUrl: string): Promise<{ topic: string; group: string; source: string }> {
  const topic = `chaos-${++topics}`;
  await kafka!.createTopic(topic, PARTITIONS);
  await eventually(
    () => call(baseUrl, 'POST', '/v1/tenants', { id: TENANT }),
    ({ status }) => status === 201 || status === 409,
  );
  const source = await createSource(baseUrl, kafkaSource(kafka!.broker, [topic]));
  return { topic, group: `posthorn-${topic}`, source };
}

/** Messages `from` to `to`, in turn to every partition. */
async function send(topic: string, from: number, to: number): Promise<void> {
  const messages = Array.from({ length: to - from }, (_, i) => {
    const n = from + i;
    return { topic, partition: n % PARTITIONS, value: JSON.stringify({ type: 'chaos.message', data: { n } }) };
  });
  await kafka!.send(messages);
}

/** Every `data.n` of the log, in its order, once there are so many. Postgres may be away meanwhile. */
async function untilLogged(stage: Stage, count: number): Promise<number[]> {
  const ask = async () => {
    const rows = await stage.query('SELECT body FROM events ORDER BY id').catch(() => []);
    return rows.map(({ body }) => JSON.parse(body.toString()).data.n as number);
  };
  return eventually(ask, (found) => found.length >= count, LONG_MS);
}

/** G1 and the order of partitions: each once, rising within each partition. */
function expectWhole(logged: readonly number[], count: number): void {
  expect([...logged].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, n) => n));
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const ours = logged.filter((n) => n % PARTITIONS === partition);
    expect(ours).toEqual([...ours].sort((a, b) => a - b));
  }
}

test('F59: kill -9 between the commit in Postgres and the one in Kafka: what is read again is no second event', async () => {
  const stage = await stageForTest();
  const [api, first] = await Promise.all([stage.start('api'), stage.start('ingest')]);
  const { topic, group, source } = await prepare(api.baseUrl);
  await send(topic, 0, 200);
  await untilLogged(stage, 200);
  await first.kill('SIGKILL');
  // The broker has heard nothing of it: offsets can be set once the dead member's session has run out.
  await eventually(
    () =>
      kafka!.rewind(group, topic, PARTITIONS).then(
        () => true,
        () => false,
      ),
    (done) => done,
    LONG_MS,
  );
  await stage.start('ingest');
  await send(topic, 200, 240);
  expectWhole(await untilLogged(stage, 240), 240);
  const { consumers } = await untilSource(
    api.baseUrl,
    source,
    ({ lag, consumers: [one] }) => lag === 0 && one.duplicates === 200,
    LONG_MS,
  );
  expect(consumers[0]).toMatchObject({ events: 40, duplicates: 200, rejected: 0 });
});

test('F59: two consumers share the partitions; when one is killed the other takes its part over, when one comes it gives some away', async () => {
  const stage = await stageForTest();
  const [api, first] = await Promise.all([stage.start('api'), stage.start('ingest')]);
  const { topic, source } = await prepare(api.baseUrl);
  await send(topic, 0, 400);
  await untilLogged(stage, 1);
  const second = await stage.start('ingest');
  const shares = (sizes: readonly number[]) => (state: { consumers: { lag: unknown[] }[] }) =>
    JSON.stringify(state.consumers.map(({ lag }) => lag.length).sort()) === JSON.stringify(sizes);
  await send(topic, 400, 800);
  await untilSource(api.baseUrl, source, shares([2, 2]), LONG_MS);
  await send(topic, 800, 1_200);
  await first.kill('SIGKILL');
  await send(topic, 1_200, 1_600);
  expectWhole(await untilLogged(stage, 1_600), 1_600);
  await untilSource(api.baseUrl, source, shares([4]), LONG_MS);
  expect((await second.kill('SIGTERM')).code).toBe(0);
});

test('F59: Kafka killed and started again: the consumer finds it by itself, and every message is an event once', async () => {
  const stage = await stageForTest();
  const api = await stage.start('api,ingest');
  const { topic, source } = await prepare(api.baseUrl);
  await send(topic, 0, 200);
  await untilLogged(stage, 1);
  await kafka!.crash();
  await untilSource(api.baseUrl, source, ({ consumers: [one] }) => one?.state === 'failing', LONG_MS);
  await kafka!.start();
  await send(topic, 200, 400);
  expectWhole(await untilLogged(stage, 400), 400);
  await untilSource(api.baseUrl, source, ({ lag, consumers: [one] }) => lag === 0 && one.state === 'running', LONG_MS);
});

test('F59: Postgres killed under way: nothing is told to Kafka meanwhile, nothing is lost, nothing twice', async () => {
  const postgres = await startPostgresProcess();
  try {
    const stage = await stageForTest({ databaseUrl: postgres.url });
    const api = await stage.start('api,ingest');
    const { topic, group } = await prepare(api.baseUrl);
    await send(topic, 0, 200);
    await untilLogged(stage, 1);
    await postgres.crash();
    await send(topic, 200, 400);
    await api.said(/"event":"work\.failed","what":"source /);
    const told = [...(await kafka!.committed(group)).values()].reduce((sum, offset) => sum + Math.max(0, offset), 0);
    await postgres.start();
    expectWhole(await untilLogged(stage, 400), 400);
    expect(told).toBeLessThanOrEqual(200);
    await eventually(
      () => kafka!.committed(group),
      (offsets) => [...offsets.values()].reduce((sum, offset) => sum + offset, 0) === 400,
      LONG_MS,
    );
    await api.kill('SIGKILL');
  } finally {
    await postgres.close();
  }
});

test('G5, F59: an ordered endpoint gets the messages of a partition in their order, across a crash of the consumer', async () => {
  const stage = await stageForTest();
  const [api, first] = await Promise.all([stage.start('api,worker'), stage.start('ingest')]);
  await createEndpoint(api.baseUrl, {
    url: `${stage.receiver.url}/ordered`,
    order: 'endpoint',
    retry_schedule: [0, 1, 1, 1, 1],
  });
  const { topic } = await prepare(api.baseUrl);
  await send(topic, 0, 300);
  await stage.receiver.received(20);
  await first.kill('SIGKILL');
  await stage.start('ingest');
  await send(topic, 300, 400);
  expectWhole(await untilLogged(stage, 400), 400);
  const seen = async () => [
    ...new Set(stage.receiver.requests.map(({ body }) => JSON.parse(body.toString()).data.n as number)),
  ];
  expectWhole(await eventually(seen, (found) => found.length >= 400, LONG_MS), 400);
});
