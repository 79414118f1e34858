import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startEgressProxy } from '../../tests/support/egress-proxy.ts';
import { readEgressProxy } from './egress-proxy.ts';
import { deliveryRig, freePort, ok, rawReceiver } from './fixtures/delivery-rig.ts';

/** Connections to it lead nowhere. */
const SILENT = '127.0.0.9';
/** A broadcast address of loopback: this host refuses to try it, as it does an IPv6 one where it has no IPv6. */
const UNTRIED = '127.255.255.255';

const connect = net.connect;
const replaceConnect = (by: typeof connect) => {
  Object.assign(net, { connect: by });
  syncBuiltinESMExports();
};

beforeAll(() =>
  replaceConnect(((options: net.TcpNetConnectOpts) =>
    options.host === SILENT ? new net.Socket() : connect(options)) as typeof connect),
);

afterAll(() => replaceConnect(connect));

const rigOf = (...addresses: string[]) => deliveryRig({ zone: { 'down.test': addresses }, connectTimeoutMs: 2_000 });

test.each([
  ['refuses', ['127.0.0.1', UNTRIED], 'refused'],
  ['refuses, the one after it like the last', ['127.0.0.1', UNTRIED, UNTRIED], 'refused'],
  ['refuses, after one that cannot be tried', [UNTRIED, '127.0.0.1', UNTRIED], 'refused'],
  ['does not answer in its share of the time', [SILENT, UNTRIED], 'timeout'],
])(
  'where an address %s, that counts, and not that this host cannot try the last one',
  async (_what, addresses, reason) => {
    await using rig = rigOf(...addresses);
    const outcome = await rig.deliver(`http://down.test:${await freePort()}/`);
    expect(outcome).toMatchObject({ kind: 'unreachable', reason, timing: { connectMs: null } });
    expect(outcome).not.toHaveProperty('wasConnected');
  },
);

test('where this host can try none of the addresses, its network is at fault', async () => {
  await using rig = rigOf(UNTRIED, UNTRIED);
  expect(await rig.deliver('http://down.test/')).toMatchObject({ kind: 'unreachable', reason: 'network' });
});

test.each(['localhost', 'app.localhost'])('%s is reached where one loopback network is allowed', async (host) => {
  await using receiver = await rawReceiver((socket) => socket.write(ok()));
  await using rig = deliveryRig({ rules: { allowedNetworks: ['127.0.0.0/8'] } });
  expect(await rig.deliver(`http://${host}:${receiver.port}/`)).toMatchObject({ kind: 'delivered' });
});

test('another name with an address of each loopback is blocked where one of them is not allowed', async () => {
  await using rig = deliveryRig({
    zone: { 'two.test': ['127.0.0.1', '::1'] },
    rules: { allowedNetworks: ['127.0.0.0/8'] },
  });
  expect(await rig.deliver('http://two.test:4000/')).toMatchObject({ kind: 'blocked' });
});

test('the last address counts where it was tried', async () => {
  await using rig = rigOf(SILENT, '127.0.0.1');
  const outcome = await rig.deliver(`http://down.test:${await freePort()}/`);
  expect(outcome).toMatchObject({ kind: 'unreachable', reason: 'refused' });
});

test('an address that does not answer in its share of the time gives way to the next', async () => {
  await using receiver = await rawReceiver((socket) => socket.write(ok()));
  await using rig = rigOf(SILENT, '127.0.0.1');
  expect(await rig.deliver(`http://down.test:${receiver.port}/`)).toMatchObject({ kind: 'delivered' });
});

test('the next address is tried within the time of its request, where that is shorter than a connection may take', async () => {
  await using receiver = await rawReceiver((socket) => socket.write(ok()));
  await using rig = deliveryRig({ zone: { 'down.test': [SILENT, '127.0.0.1'] }, connectTimeoutMs: 3_600_000 });
  const outcome = await rig.deliver(`http://down.test:${receiver.port}/`, { timeoutMs: 3_000 });
  expect(outcome).toMatchObject({ kind: 'delivered' });
});

test('so is the next address of the egress proxy', async () => {
  await using receiver = await rawReceiver((socket) => socket.write(ok()));
  const proxy = await startEgressProxy();
  await using rig = deliveryRig({
    zone: { 'proxy.test': [SILENT, '127.0.0.1'] },
    connectTimeoutMs: 3_600_000,
    proxy: readEgressProxy(`http://proxy.test:${proxy.port}`),
  });
  expect(await rig.deliver(receiver.url, { timeoutMs: 3_000 })).toMatchObject({ kind: 'delivered' });
  await rig.sender.close();
  await proxy.stop();
});

test('an egress proxy that does not take a connection in the time of a request is at fault, and not the receiver', async () => {
  await using rig = deliveryRig({ connectTimeoutMs: 3_600_000, proxy: readEgressProxy(`http://${SILENT}:3128`) });
  const outcome = await rig.deliver('http://127.0.0.1:4000/', { timeoutMs: 200 });
  expect(outcome).toMatchObject({
    kind: 'unreachable',
    reason: 'network',
    ours: 'proxy',
    detail: 'egress proxy: no connection within 0.2 s',
  });
});

test('an address of the egress proxy that does not answer in its share of the time gives way to the next', async () => {
  await using receiver = await rawReceiver((socket) => socket.write(ok()));
  const proxy = await startEgressProxy();
  await using rig = deliveryRig({
    zone: { 'proxy.test': [SILENT, '127.0.0.1'] },
    connectTimeoutMs: 4_000,
    proxy: readEgressProxy(`http://proxy.test:${proxy.port}`),
  });
  expect(await rig.deliver(receiver.url)).toMatchObject({ kind: 'delivered' });
  await rig.sender.close();
  await proxy.stop();
});
