import { expect, test } from 'vitest';
import { deliveryRig, fakeDns, fakeResolver, freePort, ok, rawReceiver } from './fixtures/delivery-rig.ts';
import { createResolver } from './resolver.ts';

const LOOPBACK = { allowedNetworks: ['127.0.0.0/8'] };

test('a literal that is not allowed is blocked where the socket opens, and nothing connects', async () => {
  await using receiver = await rawReceiver((socket) => socket.write(ok()));
  await using rig = deliveryRig({ rules: {} });
  for (const url of [
    receiver.url,
    receiver.url.replace('127.0.0.1', '[::ffff:127.0.0.1]'),
    receiver.url.replace('127.0.0.1', '0.0.0.0'),
  ]) {
    expect(await rig.deliver(url), url).toMatchObject({
      kind: 'blocked',
      detail: expect.stringContaining('not allowed'),
    });
  }
  expect(receiver.connections).toHaveLength(0);
});

test('a name that resolves to a denied address is blocked, whatever its other addresses', async () => {
  await using receiver = await rawReceiver((socket) => socket.write(ok()));
  const zone = {
    'private.test': ['10.0.0.1'],
    'first.test': ['127.0.0.1', '10.0.0.1'],
    'second.test': ['10.0.0.1', '127.0.0.1'],
    'v6.test': ['::1'],
    'mixed.test': ['127.0.0.1', 'fd00:ec2::254'],
    'metadata.test': ['169.254.169.254'],
  };
  await using rig = deliveryRig({ rules: LOOPBACK, zone });
  for (const name of Object.keys(zone)) {
    expect(await rig.deliver(`http://${name}:${receiver.port}/`), name).toMatchObject({ kind: 'blocked' });
  }
  expect(receiver.connections).toHaveLength(0);
});

test('what a tenant is told of a blocked name does not hold the address', async () => {
  await using rig = deliveryRig({ zone: { 'internal.test': ['10.20.30.40'] } });
  expect(JSON.stringify(await rig.deliver('http://internal.test/'))).not.toContain('10.20');
});

test('a name that turns to a denied address is blocked at the next connection', async () => {
  await using receiver = await rawReceiver((socket) => socket.end(ok('ok', 'connection: close\r\n')));
  let now = 0;
  const zone: Record<string, string[]> = { 'rebind.test': ['127.0.0.1'] };
  const resolver = createResolver({ backend: fakeDns(zone), hosts: { addressesOf: async () => [] }, now: () => now });
  await using rig = deliveryRig({ rules: LOOPBACK, resolver });
  const url = `http://rebind.test:${receiver.port}/`;
  expect(await rig.deliver(url)).toMatchObject({ kind: 'delivered' });
  zone['rebind.test'] = ['127.0.0.1', '169.254.169.254'];
  now += 1_000;
  expect(await rig.deliver(url)).toMatchObject({ kind: 'blocked' });
  expect(receiver.connections).toHaveLength(1);
});

test('the socket opens to the checked address: between check and connection the name is not asked again', async () => {
  await using receiver = await rawReceiver((socket) => socket.write(ok()));
  await using rig = deliveryRig({ rules: LOOPBACK, zone: { 'once.test': ['127.0.0.1'] } });
  expect(await rig.deliver(`http://once.test:${receiver.port}/`)).toMatchObject({ kind: 'delivered' });
  expect(rig.asked).toEqual(['once.test', 'once.test']);
  expect(receiver.requests[0]).toContain(`host: once.test:${receiver.port}`);
});

test('a denied port and a scheme that is not allowed are blocked', async () => {
  await using rig = deliveryRig({ rules: { ...LOOPBACK, httpsOnly: true } });
  expect(await rig.deliver('https://127.0.0.1:6379/')).toMatchObject({
    kind: 'blocked',
    detail: expect.stringContaining('Redis'),
  });
  expect(await rig.deliver('http://127.0.0.1:8080/')).toMatchObject({
    kind: 'blocked',
    detail: expect.stringContaining('https'),
  });
});

test('a forbidden socket of ours is blocked although its network is allowed', async () => {
  await using receiver = await rawReceiver((socket) => socket.write(ok()));
  const rules = {
    allowedNetworks: ['127.0.0.0/8', '::/128', '0.0.0.0/8'],
    forbiddenSockets: [`127.0.0.1:${receiver.port}`],
  };
  await using rig = deliveryRig({ rules, zone: { 'ours.test': ['127.0.0.1'] } });
  for (const host of ['127.0.0.1', '[::ffff:127.0.0.1]', '0.0.0.0', '[::]', 'ours.test']) {
    expect(await rig.deliver(`http://${host}:${receiver.port}/`), host).toMatchObject({ kind: 'blocked' });
  }
  expect(receiver.connections).toHaveLength(0);
});

test('a connection that ends elsewhere than where it was opened to is blocked before anything is sent', async () => {
  await using receiver = await rawReceiver((socket) => socket.write(ok()));
  // The system leads the unspecified address, which is allowed here, to loopback, which is not.
  await using rig = deliveryRig({ rules: { allowedNetworks: ['0.0.0.0/32'] } });
  expect(await rig.deliver(`http://0.0.0.0:${receiver.port}/`)).toMatchObject({ kind: 'blocked' });
  expect(receiver.requests).toHaveLength(0);
});

test('an address that refuses gives way to the next', async () => {
  await using receiver = await rawReceiver((socket) => socket.write(ok()), '127.0.0.2');
  await using rig = deliveryRig({ rules: LOOPBACK, zone: { 'two.test': ['127.0.0.1', '127.0.0.2'] } });
  expect(await rig.deliver(`http://two.test:${receiver.port}/`)).toMatchObject({ kind: 'delivered' });
});

test('a refused connection is unreachable, with how long each phase took', async () => {
  const port = await freePort();
  await using rig = deliveryRig({ zone: { 'down.test': ['127.0.0.1', '127.0.0.3'] } });
  expect(await rig.deliver(`http://down.test:${port}/`)).toEqual({
    kind: 'unreachable',
    reason: 'refused',
    detail: 'connection refused (ECONNREFUSED)',
    timing: { dnsMs: expect.any(Number), connectMs: null, firstByteMs: null, totalMs: expect.any(Number) },
  });
});

test('a name that cannot be resolved is unreachable for its DNS, each cause distinct', async () => {
  await using rig = deliveryRig({ zone: { 'fail.test': 'ESERVFAIL', 'empty.test': [], 'hang.test': 'hang' } });
  const details = [];
  for (const name of ['absent.test', 'fail.test', 'empty.test', 'hang.test']) {
    const outcome = await rig.deliver(`http://${name}/`);
    expect(outcome, name).toMatchObject({ kind: 'unreachable', reason: 'dns' });
    details.push(outcome.kind === 'unreachable' ? outcome.detail : '');
  }
  expect(details.map((detail) => detail.match(/\((\w+)\)$/)?.[1])).toEqual([
    'ENOTFOUND',
    'ESERVFAIL',
    'ENODATA',
    'ETIMEOUT',
  ]);
});

test('DNS that hangs past the time to connect is unreachable for its DNS', async () => {
  await using rig = deliveryRig({ resolver: fakeResolver({ 'hang.test': 'hang' }, [], 60_000), connectTimeoutMs: 50 });
  expect(await rig.deliver('http://hang.test/')).toMatchObject({
    kind: 'unreachable',
    reason: 'dns',
    timing: { dnsMs: expect.any(Number), connectMs: null },
  });
});
