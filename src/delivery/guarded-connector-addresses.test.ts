import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startEgressProxy } from '../../tests/support/egress-proxy.ts';
import { readEgressProxy } from './egress-proxy.ts';
import { deliveryRig, freePort, ok, rawReceiver } from './fixtures/delivery-rig.ts';
import { standStill } from './fixtures/stand-still.ts';

/** Connections to it lead nowhere. */
const SILENT = '127.0.0.9';
/** So do those to these. */
const SILENT_TOO = ['127.0.0.10', '127.0.0.11'];
/** It takes connections as soon as the next address is being tried. */
const SLOW = '127.0.0.8';
/** The process stands still after it was asked for a connection. */
const STALLS = '127.0.0.7';
const STILL_MS = 300;
/** A broadcast address of loopback: this host refuses to try it, as it does an IPv6 one where it has no IPv6. */
const UNTRIED = '127.255.255.255';

const connect = net.connect;
const replaceConnect = (by: typeof connect) => {
  Object.assign(net, { connect: by });
  syncBuiltinESMExports();
};

const silent = new Set<net.Socket>();
let slow: (() => void) | null = null;

function connectAs(options: net.TcpNetConnectOpts): net.Socket {
  const host = options.host!;
  if (host === SILENT || SILENT_TOO.includes(host)) {
    const socket = new net.Socket();
    silent.add(socket);
    return socket;
  }
  if (host === SLOW) {
    const socket = new net.Socket();
    slow = () => void (socket.destroyed || socket.connect(options));
    return socket;
  }
  if (slow !== null) setImmediate(slow);
  slow = null;
  const socket = connect(options);
  if (host === STALLS) standStill(STILL_MS);
  return socket;
}

beforeAll(() => replaceConnect(connectAs as typeof connect));

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

test('an address that is silent is waited for to the end, though the next one refuses', async () => {
  await using rig = rigOf(SILENT, '127.0.0.1');
  const outcome = await rig.deliver(`http://down.test:${await freePort()}/`);
  expect(outcome).toMatchObject({ kind: 'unreachable', reason: 'timeout', detail: 'no connection within 2 s' });
});

test('a receiver that takes longer than a share of the time is reached where this host cannot try its other address', async () => {
  await using receiver = await rawReceiver((socket) => socket.write(ok()), SLOW);
  await using rig = deliveryRig({ zone: { 'slow.test': [SLOW, UNTRIED] } });
  const outcome = await rig.deliver(`http://slow.test:${receiver.port}/`, { timeoutMs: 4_000 });
  expect(outcome).toMatchObject({ kind: 'delivered' });
});

test('a connection that was made while the process stood still stands, though its time is over', async () => {
  await using receiver = await rawReceiver((socket) => socket.write(ok()), STALLS);
  await using rig = deliveryRig({ connectTimeoutMs: STILL_MS / 2 });
  // After an immediate it is the timers that come next.
  await new Promise((settle) => setImmediate(settle));
  expect(await rig.deliver(receiver.url)).toMatchObject({ kind: 'delivered' });
});

test('however many connections of one tenant are being made, they have 32 sockets at the most beside one each', async () => {
  await using rig = deliveryRig({
    zone: { 'down.test': [SILENT, ...SILENT_TOO] },
    connectTimeoutMs: 2_000,
    connectionsPerOrigin: 70,
  });
  const open = () => [...silent].filter((socket) => !socket.destroyed).length;
  const before = open();
  let most = 0;
  const add = silent.add;
  silent.add = (socket) => {
    add.call(silent, socket);
    most = Math.max(most, open() - before);
    return silent;
  };
  await Promise.all(Array.from({ length: 70 }, () => rig.deliver('http://down.test:4000/')));
  silent.add = add;
  expect(most).toBeLessThanOrEqual(70 + 32);
  expect(open()).toBe(before);
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
