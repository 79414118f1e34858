import { once } from 'node:events';
import { beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import type { Outcome } from '../../domain/outcome.ts';
import { compileEgressPolicy } from '../egress-policy.ts';
import { type AmqpPeerOptions, amqpPeer } from '../fixtures/amqp-peer.ts';
import { fakeResolver } from '../fixtures/delivery-rig.ts';
import type { RabbitmqMessage } from '../prepare.ts';
import { createRabbitmqSender } from './rabbitmq-sender.ts';

// The client is loaded when it is first needed, which takes its time.
beforeAll(() => import('./rabbitmq-link.ts'));

const PATIENCE = { timeout: 30_000, interval: 10 };

/** A broker that allows so much, and a sender to its exchanges. */
async function rig(options: AmqpPeerOptions = {}) {
  const peer = await amqpPeer(options);
  onTestFinished(() => peer.close());
  const policy = compileEgressPolicy({ allowedNetworks: ['127.0.0.0/8'] });
  const sender = createRabbitmqSender({ policy, resolver: fakeResolver({}), tickMs: 10, connectTimeoutMs: 10_000 });
  onTestFinished(() => sender.close());
  let sent = 0;
  const send = (exchange: string, timeoutMs = 30_000, body = '{}') => {
    const place = {
      hosts: [`127.0.0.1:${peer.port}`],
      vhost: '/',
      exchange,
      routing: { key: '' },
      tls: false,
      ca: null,
    };
    const known = { 'webhook-id': 'evt_1', 'webhook-timestamp': '1', 'posthorn-attempt': '1' };
    const headers = Object.entries({ ...known, 'posthorn-delivery-id': `dlv_${sent++}` }).flat();
    const message: RabbitmqMessage = {
      ...{ type: 'rabbitmq', routingKey: '', tenantNum: 1, headers, body: Buffer.from(body), timeoutMs },
      destination: { type: 'rabbitmq', ...place, username: 'u', password: 'p' },
    };
    return new Promise<Outcome>((resolve) => void sender.send(message, resolve));
  };
  return { peer, sender, send };
}

test('where a broker opens no channel, the connection is closed', async () => {
  const { peer, send } = await rig({ refusesChannels: true });
  for (let attempt = 1; attempt <= 3; attempt++) {
    expect(await send('events')).toMatchObject({ kind: 'unreachable' });
    expect(peer.sockets).toHaveLength(attempt);
    const socket = peer.sockets.at(-1)!;
    if (!socket.closed) await once(socket, 'close');
  }
});

test('a broker that wants small frames gets large messages in as many', async () => {
  const { peer, send } = await rig({ frameMax: 4_096 });
  expect(await send('events', 30_000, JSON.stringify('x'.repeat(100_000)))).toMatchObject({ kind: 'delivered' });
  expect(peer.sockets).toHaveLength(1);
});

test('a broker that allows few channels gets the messages of all exchanges, by one connection', async () => {
  const { peer, send } = await rig({ channelMax: 2 });
  for (let round = 0; round < 3; round++) {
    const outcomes = await Promise.all(['a', 'b', 'c', 'd', 'e', 'a', 'b'].map((exchange) => send(exchange)));
    for (const outcome of outcomes) expect(outcome).toMatchObject({ kind: 'delivered' });
  }
  expect(peer.sockets).toHaveLength(1);
  expect(peer.channels.most).toBe(2);
});

test('what waits for a channel is sent when one has made room, and what is under way is not cut off', async () => {
  const { peer, send } = await rig({ channelMax: 1, held: ['slow'] });
  const slow = [send('slow'), send('slow')];
  await peer.until('slow');
  const other = [send('other'), send('slow')];
  peer.confirm('slow');
  for (const outcome of await Promise.all([...slow, ...other])) expect(outcome).toMatchObject({ kind: 'delivered' });
  expect(peer.published).toEqual(['slow', 'slow', 'other', 'slow']);
  expect(peer.channels.most).toBe(1);
});

test('an exchange that the broker confirms nothing of does not keep the others out', async () => {
  const { peer, send } = await rig({ channelMax: 2, held: ['stuck'] });
  const stuck = send('stuck');
  await peer.until('stuck');
  const others = await Promise.all(['a', 'b', 'c', 'a', 'b', 'c'].map((exchange) => send(exchange)));
  for (const outcome of others) expect(outcome).toMatchObject({ kind: 'delivered' });
  peer.confirm('stuck');
  expect(await stuck).toMatchObject({ kind: 'delivered' });
});

test('messages that come at once for a new exchange share its channel, and no more are kept than before', async () => {
  const { peer, send } = await rig();
  await Promise.all(Array.from({ length: 128 }, (_, n) => send(`known-${n}`)));
  for (const exchange of ['new-1', 'new-2', 'new-3']) await Promise.all([send(exchange), send(exchange)]);
  await vi.waitFor(() => expect(peer.channels.open).toBe(128), PATIENCE);
  expect(peer.channels.most).toBeLessThanOrEqual(131);
});
