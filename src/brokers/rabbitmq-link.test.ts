import { expect, onTestFinished, test } from 'vitest';
import type { RabbitmqConnection } from '../config/rabbitmq-connection.ts';
import { type AmqpPeerOptions, amqpPeer } from '../delivery/fixtures/amqp-peer.ts';
import { openRabbitmq } from './rabbitmq-link.ts';
import { rabbitmqOptions } from './rabbitmq-options.ts';

async function linkTo(options: AmqpPeerOptions = {}) {
  const peer = await amqpPeer(options);
  onTestFinished(() => peer.close());
  const { port } = peer;
  const connection = { hosts: [`127.0.0.1:${port}`], vhost: '/', username: 'u', password: 'p', tls: false as const };
  const described = { ...connection, heartbeat_seconds: 30 } as unknown as RabbitmqConnection;
  const link = await openRabbitmq(rabbitmqOptions(described, { turn: 0, name: 'test' }));
  const closed = new Promise<void>((resolve) => peer.sockets[0]!.on('close', () => resolve()));
  return { peer, link, closed };
}

test('a link ends though the broker answers neither the end of a channel nor that of the connection', async () => {
  const { link, closed } = await linkTo({ isSilentAtEnd: true });
  const channel = await link.channel();
  void channel.close().catch(() => {});
  await link.close();
  expect((await link.closed).message).toBe('The connection was closed by us.');
  await closed;
});

test('a link of which a channel was left open ends, too', async () => {
  const { link, closed } = await linkTo();
  await link.channel();
  await link.close();
  await closed;
});

test('a link ends in order where the broker takes part, and ending it once more is nothing', async () => {
  const { link, closed } = await linkTo();
  const channel = await link.channel();
  await channel.close();
  await link.close();
  await closed;
  await link.close();
});

test('of a large message no frame is larger than was agreed on', async () => {
  const { peer, link } = await linkTo({ frameMax: 4_096 });
  const channel = await link.channel();
  await channel.confirmSelect();
  await channel.basicPublish({ exchange: 'dead' }, Buffer.alloc(100_000));
  expect(peer.published).toEqual(['dead']);
  await channel.close();
  await link.close();
});
