import { Connection } from 'rabbitmq-client';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
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
});
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
  // A queue of a server that has just started may not have its leader yet; what was asked of it meanwhile comes back to it.
  const body = () =>
    withChannel(url, async (channel) => {
      await channel.queueDeclare(queue);
      return (await channel.basicGet('kept'))?.body.toString();
    }).catch(() => undefined);
  expect(await eventually(body, (text) => text !== undefined)).toBe('x');
});

type Channel = Awaited<ReturnType<Connection['acquire']>>;

async function withChannel<T>(url: string, use: (channel: Channel) => Promise<T>): Promise<T> {
  const connection = new Connection(url);
  connection.on('error', () => {});
  return use(await connection.acquire()).finally(() => connection.unsafeDestroy());
}
