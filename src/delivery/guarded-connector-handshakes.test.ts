import { expect, test } from 'vitest';
import { startEgressProxy } from '../../tests/support/egress-proxy.ts';
import { readEgressProxy } from './egress-proxy.ts';
import { deliveryRig, pem, rawReceiver } from './fixtures/delivery-rig.ts';
import { manyAddresses, until } from './fixtures/many-addresses.ts';
import type { SenderOptions } from './send.ts';

const ONE = '127.0.0.1';
const TWO = '127.0.0.2';

/** Longer than any test: what comes sooner was not waited for so long. */
const LONG_MS = 3_600_000;

const rigOf = (addresses: readonly string[], more: Partial<SenderOptions> = {}) =>
  deliveryRig({ zone: { 'receiver.test': addresses }, ca: [pem('ca')], connectTimeoutMs: 4_000, ...more });

test('an address that takes the connection and is silent in the handshake gives way to the next when its share of the time is over', async () => {
  await using receiver = await manyAddresses({ [ONE]: 'silent', [TWO]: 'answers' });
  await using rig = rigOf([ONE, TWO]);
  expect(await rig.deliver(`https://receiver.test:${receiver.port}/`)).toMatchObject({ kind: 'delivered' });
  await until(() => receiver.at(ONE)[0]!.closed);
});

test('so it does in the tunnel of an egress proxy', async () => {
  await using receiver = await manyAddresses({ [ONE]: 'silent', [TWO]: 'answers' });
  const proxy = await startEgressProxy();
  await using rig = rigOf([ONE, TWO], { proxy: readEgressProxy(proxy.url) });
  expect(await rig.deliver(`https://receiver.test:${receiver.port}/`)).toMatchObject({ kind: 'delivered' });
  await until(() => receiver.at(ONE)[0]!.closed);
  await rig.sender.close();
  await proxy.stop();
});

test('an address that cuts the handshake off gives way to the next at once', async () => {
  await using receiver = await manyAddresses({ [ONE]: 'resets', [TWO]: 'answers' });
  await using rig = rigOf([ONE, TWO], { connectTimeoutMs: LONG_MS });
  const outcome = await rig.deliver(`https://receiver.test:${receiver.port}/`, { timeoutMs: LONG_MS });
  expect(outcome).toMatchObject({ kind: 'delivered' });
  expect(receiver.at(ONE)).toHaveLength(1);
});

test('where each address cuts the handshake off, the receiver is unreachable for its TLS', async () => {
  await using receiver = await manyAddresses({ [ONE]: 'resets', [TWO]: 'resets' });
  await using rig = rigOf([ONE, TWO]);
  expect(await rig.deliver(`https://receiver.test:${receiver.port}/`)).toMatchObject({
    kind: 'unreachable',
    reason: 'tls',
    detail: expect.stringContaining('ECONNRESET'),
  });
  expect(receiver.at(TWO)).toHaveLength(1);
});

test('after three addresses that cut the handshake off no other is asked', async () => {
  const addresses = [1, 2, 3, 4, 5].map((n) => `127.0.0.${n}`);
  await using receiver = await manyAddresses(Object.fromEntries(addresses.map((address) => [address, 'resets'])));
  await using rig = rigOf(addresses);
  expect(await rig.deliver(`https://receiver.test:${receiver.port}/`)).toMatchObject({
    kind: 'unreachable',
    reason: 'tls',
    detail: expect.stringContaining('ECONNRESET'),
  });
  expect(addresses.map((address) => receiver.at(address).length)).toEqual([1, 1, 1, 0, 0]);
});

test('a certificate that does not hold is told as it is, and no other address is asked for another', async () => {
  await using receiver = await manyAddresses({ [ONE]: 'untrusted', [TWO]: 'answers' });
  await using rig = rigOf([ONE, TWO]);
  expect(await rig.deliver(`https://receiver.test:${receiver.port}/`)).toMatchObject({
    kind: 'unreachable',
    reason: 'tls',
    detail: expect.stringContaining('DEPTH_ZERO_SELF_SIGNED_CERT'),
  });
  expect(receiver.at(TWO)).toHaveLength(0);
});

test.each([
  ['its connection', 4_000, LONG_MS],
  ['its request', LONG_MS, 4_000],
])(
  'so it is where the last address is silent until the time of %s is over',
  async (_what, connectTimeoutMs, timeoutMs) => {
    await using receiver = await manyAddresses({ [ONE]: 'untrusted late', [TWO]: 'silent' });
    await using rig = rigOf([ONE, TWO], { connectTimeoutMs });
    const delivery = rig.deliver(`https://receiver.test:${receiver.port}/`, { timeoutMs });
    await until(() => receiver.at(TWO).length === 1);
    receiver.speak(ONE);
    expect(await delivery).toMatchObject({
      kind: 'unreachable',
      reason: 'tls',
      detail: expect.stringContaining('DEPTH_ZERO_SELF_SIGNED_CERT'),
    });
  },
);

test('an address whose handshake takes longer than its share is still good when it comes to its end', async () => {
  await using receiver = await manyAddresses({ [ONE]: 'silent', [TWO]: 'silent' });
  await using rig = rigOf([ONE, TWO], { connectTimeoutMs: LONG_MS });
  const delivery = rig.deliver(`https://receiver.test:${receiver.port}/`, { timeoutMs: 6_000 });
  await until(() => receiver.at(TWO).length === 1);
  receiver.speak(ONE);
  expect(await delivery).toMatchObject({ kind: 'delivered' });
  await until(() => receiver.at(TWO)[0]!.closed);
});

test('where all are silent in the handshake, that is what is told, and nothing stays open', async () => {
  await using receiver = await manyAddresses({ [ONE]: 'silent', [TWO]: 'silent' });
  await using rig = rigOf([ONE, TWO], { connectTimeoutMs: 1_000 });
  expect(await rig.deliver(`https://receiver.test:${receiver.port}/`)).toMatchObject({
    kind: 'unreachable',
    reason: 'timeout',
    detail: 'no TLS handshake within 1 s',
  });
  await until(() => [ONE, TWO].every((address) => receiver.at(address).every((socket) => socket.closed)));
});

test('a connection that is given up takes each address along that is being tried', async () => {
  await using receiver = await manyAddresses({ [ONE]: 'silent', [TWO]: 'silent' });
  await using rig = rigOf([ONE, TWO], { connectionsPerOrigin: 1 });
  const request = rig.request(`https://receiver.test:${receiver.port}/`);
  const given = rig.sender.send(request, () => expect.unreachable());
  await until(() => receiver.at(TWO).length === 1);
  given.abandon();
  await until(() => [ONE, TWO].every((address) => receiver.at(address)[0]!.closed));
});

test('a peer that is not allowed is not even told the name of the receiver', async () => {
  await using receiver = await rawReceiver(() => {});
  // The system leads the unspecified address, which is allowed here, to loopback, which is not.
  await using rig = deliveryRig({ rules: { allowedNetworks: ['0.0.0.0/32'] }, zone: { 'any.test': ['0.0.0.0'] } });
  const outcome = await rig.deliver(`https://any.test:${receiver.port}/`, { timeoutMs: 5_000 });
  expect(outcome).toMatchObject({ kind: 'blocked' });
  await until(() => receiver.connections.length === 1);
  await receiver.allClosed();
  expect(receiver.connections[0]!.bytesRead).toBe(0);
});
