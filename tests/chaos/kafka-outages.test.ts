import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { call } from '../support/api.ts';
import { destinationCalls } from '../support/destinations.ts';
import { eventually } from '../support/eventually.ts';
import { createKafkaPlay, expectWhole, LONG_MS } from '../support/kafka-play.ts';
import { type KafkaProcess, startKafkaProcess } from '../support/kafka-process.ts';
import { untilSource } from '../support/kafka-source.ts';
import { hasKafka, requireKafka } from '../support/require-kafka.ts';
import { stageForTest } from '../support/stage.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

// What other files would notice of a broker that they share: here it is killed and frozen.
let kafka: KafkaProcess;
let service: TestService;
let calls: ReturnType<typeof destinationCalls>;

beforeEach(requireKafka);
beforeAll(async () => {
  if (!hasKafka()) return;
  [kafka, service] = await Promise.all([startKafkaProcess(), startTestService({ worker: true })]);
  calls = destinationCalls(service.baseUrl, 'acme');
});
afterAll(() => Promise.all([service?.stop(), kafka?.close()]));

/** An endpoint that gets events of `<topic>.*` into a topic of this name. */
async function endpointTo(topic: string, settings: object = {}) {
  await kafka.createTopic(topic, 3);
  const destination = { type: 'kafka', brokers: [kafka.broker], tls: false, topic };
  const soon = { retry_schedule: [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], timeout_seconds: 20 };
  return calls.create({ destination, subscriptions: [{ types: [`${topic}.*`] }], ...soon, ...settings });
}

test('a destination whose broker hangs costs an attempt its time, and is delivered to once it goes on', async () => {
  const endpoint = await endpointTo('ice', { timeout_seconds: 1 });
  await calls.settled(await calls.post({ type: 'ice.before' }), endpoint, 'delivered');
  const thaw = () => void process.kill(kafka.pid, 'SIGCONT');
  process.kill(kafka.pid, 'SIGSTOP');
  onTestFinished(thaw);
  const eventId = await calls.post({ type: 'ice.during' });
  const [attempt] = await calls.attempts(eventId, endpoint).finally(thaw);
  expect(attempt).toMatchObject({ outcome: 'timeout', detail: expect.stringContaining('within 1 s') });
  await calls.settled(eventId, endpoint, 'delivered');
});

test('F59: Kafka killed and started again: consumers and destinations find it by themselves, every message is an event once and every event arrives', async () => {
  const stage = await stageForTest();
  const api = await stage.start('api,ingest');
  const { source, send, untilLogged } = await createKafkaPlay(kafka, stage, api.baseUrl);
  const endpoint = await endpointTo('out');
  await calls.settled(await calls.post({ type: 'out.before' }), endpoint, 'delivered');
  await send(0, 200);
  await untilLogged(1);
  await kafka.crash();
  const events = await Promise.all(Array.from({ length: 12 }, () => calls.post({ type: 'out.sent' })));
  await eventually(
    () => calls.stats(endpoint),
    (stats) => stats.breaker.state === 'open',
  );
  expect((await calls.attempts(events[0]!, endpoint)).at(-1)).toMatchObject({
    outcome: expect.stringMatching(/^(refused|reset)$/),
    response: null,
  });
  await untilSource(api.baseUrl, source, ({ consumers: [one] }) => one?.state === 'failing', LONG_MS);
  await kafka.start();
  await call(service.baseUrl, 'POST', `${endpoint.path}/breaker/reset`);
  await send(200, 400);
  expectWhole(await untilLogged(400), 400);
  await untilSource(api.baseUrl, source, ({ lag, consumers: [one] }) => lag === 0 && one.state === 'running', LONG_MS);
  for (const event of events) await calls.settled(event, endpoint, 'delivered');
});
