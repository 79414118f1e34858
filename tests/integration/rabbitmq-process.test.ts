import { Connection } from 'rabbitmq-client';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  hasRabbitmq,
  type RabbitmqProcess,
  requireRabbitmq,
  startRabbitmqProcess,
} from '../support/rabbitmq-process.ts';

let rabbitmq: RabbitmqProcess | undefined;

beforeEach(requireRabbitmq);
beforeAll(async () => {
  if (hasRabbitmq()) rabbitmq = await startRabbitmqProcess();
}, 90_000);
afterAll(() => rabbitmq?.close());

test('the RabbitMQ of the tests keeps what it confirmed when it is killed, on the same port', async () => {
  const { url, settle, crash, start } = rabbitmq!;
  const queue = { queue: 'kept', durable: true, arguments: { 'x-queue-type': 'quorum' } } as const;
  await withChannel(url, async (channel) => {
    await channel.queueDeclare(queue);
    await channel.confirmSelect();
    await channel.basicPublish({ routingKey: 'kept', durable: true }, Buffer.from('x'));
  });
  await settle();
  await crash();
  await start();
  await withChannel(url, async (channel) => {
    await channel.queueDeclare(queue);
    expect((await channel.basicGet('kept'))?.body.toString()).toBe('x');
  });
}, 120_000);

type Channel = Awaited<ReturnType<Connection['acquire']>>;

async function withChannel(url: string, use: (channel: Channel) => Promise<void>): Promise<void> {
  const connection = new Connection(url);
  connection.on('error', () => {});
  await use(await connection.acquire()).finally(() => connection.unsafeDestroy());
}
