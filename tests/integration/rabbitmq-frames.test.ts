import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { openRabbitmq } from '../../src/brokers/rabbitmq-link.ts';
import { rabbitmqOptions } from '../../src/brokers/rabbitmq-options.ts';
import { rabbitmqConnection } from '../../src/config/rabbitmq-connection.ts';
import { call } from '../support/api.ts';
import { destinationCalls } from '../support/destinations.ts';
import { eventually } from '../support/eventually.ts';
import {
  hasRabbitmq,
  type RabbitmqProcess,
  requireRabbitmq,
  startRabbitmqProcess,
} from '../support/rabbitmq-process.ts';
import { startTestService, type TestService } from '../support/test-service.ts';
import { withRabbitmqChannel } from '../support/with-rabbitmq-channel.ts';

let rabbitmq: RabbitmqProcess;
let service: TestService;

beforeEach(requireRabbitmq);
beforeAll(async () => {
  if (!hasRabbitmq()) return;
  [rabbitmq, service] = await Promise.all([
    startRabbitmqProcess({ settings: ['frame_max = 8192'] }),
    startTestService({ worker: true }),
  ]);
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
  await withRabbitmqChannel(rabbitmq.url, async (channel) => {
    await channel.exchangeDeclare({ exchange: 'events', type: 'topic', durable: true });
    await channel.queueDeclare({ queue: 'all', durable: true });
    await channel.queueBind({ exchange: 'events', queue: 'all', routingKey: '#' });
  });
});
afterAll(() => Promise.all([rabbitmq?.close(), service?.stop()]));

const LARGE = 'x'.repeat(100_000);

/** The bytes of the next message, however many frames they come in. */
async function nextLength(): Promise<number> {
  const get = () => withRabbitmqChannel(rabbitmq.url, (channel) => channel.basicGet({ queue: 'all', noAck: true }));
  const message = await eventually(get, (found) => found !== undefined);
  return (typeof message!.body === 'string' ? message!.body : JSON.stringify(message!.body)).length;
}

test('a source publishes large dead letters where the broker wants small frames', async () => {
  const connection = rabbitmqConnection.parse({ url: rabbitmq.url });
  const link = await openRabbitmq(rabbitmqOptions(connection, { turn: 0, name: 'test' }));
  const channel = await link.channel();
  await channel.confirmSelect();
  await channel.basicPublish({ exchange: 'events', contentType: 'text/plain' }, Buffer.from(LARGE));
  expect(await nextLength()).toBe(LARGE.length);
  await channel.close();
  await link.close();
});

test('a destination gets large events where the broker wants small frames', async () => {
  const { port, username, password } = rabbitmq;
  const calls = destinationCalls(service.baseUrl, 'acme');
  const destination = {
    ...{ type: 'rabbitmq', hosts: [`127.0.0.1:${port}`], tls: false },
    ...{ exchange: 'events', username, password },
  };
  await calls.create({ destination, subscriptions: [{ types: ['large.*'] }] });
  await calls.post({ type: 'large.event', data: { text: LARGE } });
  expect(await nextLength()).toBeGreaterThan(LARGE.length);
});
