import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { createKafkaPlay, expectWhole, LONG_MS, PARTITIONS } from '../support/kafka-play.ts';
import { untilSource } from '../support/kafka-source.ts';
import { startPostgresProcess } from '../support/postgres-process.ts';
import { hasKafka, requireKafka } from '../support/require-kafka.ts';
import { type SharedKafka, sharedKafka } from '../support/shared-kafka.ts';
import { createEndpoint, stageForTest } from '../support/stage.ts';

let kafka: SharedKafka | undefined;

beforeAll(async () => {
  if (hasKafka()) kafka = await sharedKafka();
});
afterAll(() => kafka?.close());
beforeEach((context) => requireKafka(context));

test('G5, F59: kill -9 before anything was committed in Kafka: what is read again is no second event, and an ordered endpoint gets the messages of a partition in their order', async () => {
  const stage = await stageForTest();
  const [api, first] = await Promise.all([stage.start('api,worker'), stage.start('ingest')]);
  await createEndpoint(api.baseUrl, {
    url: `${stage.receiver.url}/ordered`,
    order: 'endpoint',
    retry_schedule: [0, 1, 1, 1, 1],
  });
  const { topic, group, source, send, untilLogged } = await createKafkaPlay(kafka!, stage, api.baseUrl);
  await send(0, 300);
  await stage.receiver.received(20);
  await first.kill('SIGKILL');
  // As if the broker had heard nothing of it: offsets can be set once the dead member's session has run out.
  await eventually(
    () =>
      kafka!.moveGroup(group, topic, new Array(PARTITIONS).fill(0)).then(
        () => true,
        () => false,
      ),
    (done) => done,
    LONG_MS,
  );
  // All of what it had begun has ended by now, in Postgres too.
  const known = (await untilLogged(20)).length;
  await stage.start('ingest');
  await send(300, 400);
  expectWhole(await untilLogged(400), 400);
  const { consumers } = await untilSource(
    api.baseUrl,
    source,
    ({ lag, consumers: [one] }) => lag === 0 && one?.events + one?.duplicates === 400,
    LONG_MS,
  );
  expect(consumers[0]).toMatchObject({ events: 400 - known, duplicates: known, rejected: 0 });
  const seen = async () => [
    ...new Set(stage.receiver.requests.map(({ body }) => JSON.parse(body.toString()).data.n as number)),
  ];
  expectWhole(await eventually(seen, (found) => found.length >= 400, LONG_MS), 400);
});

test('F59: two consumers share the partitions; when one is killed the other takes its part over, when one comes it gives some away', async () => {
  const stage = await stageForTest();
  const [api, first] = await Promise.all([stage.start('api'), stage.start('ingest')]);
  const { source, send, untilLogged } = await createKafkaPlay(kafka!, stage, api.baseUrl);
  await send(0, 400);
  await untilLogged(1);
  const second = await stage.start('ingest');
  const shares = (sizes: readonly number[]) => (state: { consumers: { lag: unknown[] }[] }) =>
    JSON.stringify(state.consumers.map(({ lag }) => lag.length).sort()) === JSON.stringify(sizes);
  await send(400, 800);
  await untilSource(api.baseUrl, source, shares([2, 2]), LONG_MS);
  await send(800, 1_200);
  await first.kill('SIGKILL');
  await send(1_200, 1_600);
  expectWhole(await untilLogged(1_600), 1_600);
  await untilSource(api.baseUrl, source, shares([4]), LONG_MS);
  expect((await second.kill('SIGTERM')).code).toBe(0);
});

test('F59: Postgres killed under way: nothing is told to Kafka meanwhile, nothing is lost, nothing twice', async () => {
  const postgres = await startPostgresProcess();
  try {
    const stage = await stageForTest({ databaseUrl: postgres.url });
    const api = await stage.start('api,ingest');
    const { group, send, untilLogged } = await createKafkaPlay(kafka!, stage, api.baseUrl);
    await send(0, 200);
    await untilLogged(1);
    await postgres.crash();
    await send(200, 400);
    await api.said(/"event":"work\.failed","what":"source /);
    const told = [...(await kafka!.committed(group)).values()].reduce((sum, offset) => sum + Math.max(0, offset), 0);
    await postgres.start();
    expectWhole(await untilLogged(400), 400);
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
