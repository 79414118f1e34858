import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import type { RabbitmqDestination } from '../../domain/destination.ts';
import type { Outcome } from '../../domain/outcome.ts';
import { compileEgressPolicy } from '../egress-policy.ts';
import { type AmqpPeer, amqpPeer } from '../fixtures/amqp-peer.ts';
import { collectGarbage } from '../fixtures/collect-garbage.ts';
import { fakeResolver, listen } from '../fixtures/delivery-rig.ts';
import type { RabbitmqMessage } from '../prepare.ts';
import { RabbitmqLine } from './rabbitmq-line.ts';
import { Shipment } from './shipment.ts';

// The client is loaded when it is first needed, which takes its time.
beforeAll(() => import('./rabbitmq-link.ts'));

const PATIENCE = { timeout: 30_000, interval: 10 };

/** A line to a broker that confirms nothing of some exchanges; deadlines pass when the test says so. */
async function rig() {
  const peer = await amqpPeer({ held: ['held', 'held too'] });
  onTestFinished(() => peer.close());
  return { peer, ...lineTo([peer.port]) };
}

function lineTo(ports: readonly number[]) {
  const policy = compileEgressPolicy({ allowedNetworks: ['127.0.0.0/8'] });
  const options = { policy, resolver: fakeResolver({}), connectTimeoutMs: 120_000 };
  const line = new RabbitmqLine(destinationOf(ports, 'any'), options);
  onTestFinished(() => line.close());
  const outcomes: Outcome[] = [];
  let sent = 0;
  const send = (exchange: string, bytes = 2) => {
    const known = { 'webhook-id': 'evt_1', 'webhook-timestamp': '1', 'posthorn-attempt': '1' };
    const message: RabbitmqMessage = {
      ...{ type: 'rabbitmq', routingKey: '', tenantNum: 1, timeoutMs: 5_000, body: Buffer.alloc(bytes, 1) },
      headers: Object.entries({ ...known, 'posthorn-delivery-id': `dlv_${sent++}` }).flat(),
      destination: destinationOf(ports, exchange),
    };
    const host = { ended: () => {}, abandoned: () => {}, late: (late: Shipment<RabbitmqMessage>) => line.late(late) };
    const { promise: ended, resolve } = Promise.withResolvers<Outcome>();
    const shipment = new Shipment(host, message, (outcome) => {
      outcomes.push(outcome);
      resolve(outcome);
    });
    line.send(shipment);
    return { shipment, ended, message };
  };
  /** Messages that are not confirmed in their time, while the broker confirms another. */
  const leave = async (peer: AmqpPeer, count: number, { bytes = 2, exchange = 'held' } = {}) => {
    const before = peer.published.length;
    const late = Array.from({ length: count }, () => send(exchange, bytes));
    await vi.waitFor(() => expect(peer.published).toHaveLength(before + count), PATIENCE);
    expect(await send('taken').ended).toMatchObject({ kind: 'delivered' });
    for (const { shipment } of late) shipment.onDeadline();
  };
  return { send, leave, outcomes };
}

function destinationOf(ports: readonly number[], exchange: string): RabbitmqDestination {
  const hosts = ports.map((port) => `127.0.0.1:${port}`);
  const place = { hosts, vhost: '/', exchange, routing: { key: '' }, tls: false, ca: null };
  return { type: 'rabbitmq', ...place, username: 'u', password: 'p' };
}

test('a message that the broker does not confirm in its time is not kept in memory, though it confirms others', async () => {
  const { peer, send } = await rig();
  const messages: WeakRef<RabbitmqMessage>[] = [];
  const late = Array.from({ length: 20 }, () => {
    const { shipment, message } = send('held');
    messages.push(new WeakRef(message));
    return shipment;
  });
  await vi.waitFor(() => expect(peer.published).toHaveLength(20), PATIENCE);
  expect(await send('taken').ended).toMatchObject({ kind: 'delivered' });
  for (const shipment of late.splice(0)) shipment.onDeadline();
  await vi.waitFor(() => {
    collectGarbage();
    expect(messages.filter((message) => message.deref() !== undefined)).toEqual([]);
  }, PATIENCE);
  expect(peer.sockets).toHaveLength(1);
  expect(peer.sockets[0]!.closed).toBe(false);
});

test.each([
  ['a thousand messages', 500, 2],
  ['eight MiB', 20, 200 * 1024],
])(
  'a connection on which %s are left without a confirm is cut, and the next message gets another',
  async (_, count, bytes) => {
    const { peer, send, leave, outcomes } = await rig();
    await leave(peer, count, { bytes });
    await leave(peer, count, { bytes });
    expect(peer.sockets.map(({ closed }) => closed)).toEqual([false]);
    const closed = once(peer.sockets[0]!, 'close');
    await leave(peer, count, { bytes });
    await closed;
    expect(await send('taken').ended).toMatchObject({ kind: 'delivered' });
    expect(peer.sockets).toHaveLength(2);
    expect(outcomes.filter(({ kind }) => kind === 'unreachable')).toHaveLength(3 * count);
    // What was left on the former one does not count against this one.
    await leave(peer, count, { bytes });
    expect(peer.sockets[1]!.closed).toBe(false);
  },
);

test('confirms that come late make room: what was confirmed is not counted', async () => {
  const { peer, leave, send } = await rig();
  await leave(peer, 900);
  peer.confirm('held');
  await send('taken').ended;
  await leave(peer, 900, { exchange: 'held too' });
  expect(await send('taken').ended).toMatchObject({ kind: 'delivered' });
  expect(peer.sockets.map(({ closed }) => closed)).toEqual([false]);
});

test('a connection that is still being made when its message is late is given up, and no other host is tried', async () => {
  const silent: Socket[] = [];
  const { promise: connected, resolve } = Promise.withResolvers<Socket>();
  const server = createServer((socket) => {
    silent.push(socket.resume());
    socket.on('error', () => {});
    resolve(socket);
  });
  const port = await listen(server);
  onTestFinished(() => void server.close());
  const { send } = lineTo([port, port]);
  const [late, waiting] = [send('any'), send('any')];
  const socket = await connected;
  const closed = once(socket, 'close');
  late.shipment.onDeadline();
  expect(await late.ended).toMatchObject({ kind: 'unreachable', reason: 'timeout' });
  expect(await waiting.ended).toMatchObject({ kind: 'unreachable', reason: 'reset' });
  await closed;
  expect(silent).toHaveLength(1);
});
