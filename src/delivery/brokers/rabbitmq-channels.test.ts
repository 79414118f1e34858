import { once } from 'node:events';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import type { Outcome } from '../../domain/outcome.ts';
import { compileEgressPolicy } from '../egress-policy.ts';
import { type AmqpPeerOptions, amqpPeer } from '../fixtures/amqp-peer.ts';
import { fakeResolver } from '../fixtures/delivery-rig.ts';
import type { RabbitmqMessage } from '../prepare.ts';
import { createRabbitmqSender } from './rabbitmq-sender.ts';

// The client is loaded when it is first needed, which takes its time.
beforeAll(() => import('./rabbitmq-link.ts'));

/** A broker that allows so much, and a sender to its exchanges. */
async function rig(options: AmqpPeerOptions = {}) {
  const peer = await amqpPeer(options);
  onTestFinished(() => peer.close());
  const policy = compileEgressPolicy({ allowedNetworks: ['127.0.0.0/8'] });
  const sender = createRabbitmqSender({ policy, resolver: fakeResolver({}), tickMs: 10, connectTimeoutMs: 10_000 });
  onTestFinished(() => sender.close());
  let sent = 0;
  const send = (exchange: string, timeoutMs = 30_000) => {
    const place = {
      hosts: [`127.0.0.1:${peer.port}`],
      vhost: '/',
      exchange,
      routing: { key: '' },
      tls: false,
      ca: null,
    };
    const headers = ['webhook-id', 'evt_1', 'posthorn-delivery-id', `dlv_${sent++}`, 'posthorn-attempt', '1'];
    const message: RabbitmqMessage = {
      ...{ type: 'rabbitmq', routingKey: '', tenantNum: 1, headers, body: Buffer.from('{}'), timeoutMs },
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
