import type { Socket } from 'node:net';
import { createServer } from 'node:tls';
import { expect, test } from 'vitest';
import { startEgressProxy } from '../../tests/support/egress-proxy.ts';
import { readEgressProxy } from './egress-proxy.ts';
import { deliveryRig, listen, pem, rawReceiver } from './fixtures/delivery-rig.ts';

const CHUNKED = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';
/** What undici's parser passes over without counting it: what comes first, and what is then repeated for ever. */
const ENDLESS: Readonly<Record<string, readonly [string, string]>> = {
  'an extension of a chunk': [`${CHUNKED}1;`, 'a'.repeat(65_536)],
  'extensions of small chunks': [CHUNKED, `1;${'x'.repeat(60_000)}\r\na\r\n`],
  'zeros before the size of a chunk': [CHUNKED, '0'.repeat(65_536)],
  'a reason phrase': ['HTTP/1.1 200 ', 'a'.repeat(65_536)],
  'empty lines before the status': ['', '\r\n'.repeat(32_768)],
};
const MIB = 1024 * 1024;
/** Far longer than it takes to see it; a receiver that is read for so long has sent more than there is patience for. */
const TIMEOUT = { timeoutMs: 30_000 };
const TOO_LONG = {
  kind: 'unreachable',
  reason: 'protocol',
  detail: 'response is longer than its head and body can be',
};

/** Writes `times` at the most, as fast as the socket takes it. */
function repeat(socket: Socket, [first, again]: readonly [string, string], times = Number.POSITIVE_INFINITY): void {
  const chunk = Buffer.from(again);
  socket.on('error', () => {});
  socket.write(first);
  const pump = () => {
    while (times-- > 0 && !socket.destroyed && socket.write(chunk));
  };
  socket.on('drain', pump);
  pump();
}

test.each(Object.entries(ENDLESS))(
  'an answer with %s that never ends is given up, and is no delivery',
  async (_what, parts) => {
    await using receiver = await rawReceiver((socket) => repeat(socket, parts));
    await using rig = deliveryRig();
    expect(await rig.deliver(receiver.url, TIMEOUT)).toMatchObject(TOO_LONG);
    await receiver.allClosed();
  },
);

test('an answer that ends before a tick has seen how much of it is none is no delivery either', async () => {
  await using receiver = await rawReceiver((socket) => {
    repeat(socket, [`${CHUNKED}1;`, 'a'.repeat(MIB)], 1);
    socket.write('\r\na\r\n0\r\n\r\n');
  });
  await using rig = deliveryRig({ tickMs: 60_000 });
  expect(await rig.deliver(receiver.url, TIMEOUT)).toMatchObject(TOO_LONG);
});

test('over TLS and through a proxy as well an answer that never ends is given up', async () => {
  const identity = { key: pem('localhost'), cert: pem('localhost') };
  const server = createServer(identity, (socket) => {
    socket.once('data', () => repeat(socket, ENDLESS['an extension of a chunk']!));
  });
  const port = await listen(server);
  const proxy = await startEgressProxy();
  const zone = { 'receiver.test': ['127.0.0.1'] };
  for (const through of [null, readEgressProxy(proxy.url)]) {
    await using rig = deliveryRig({ zone, ca: [pem('ca')], proxy: through });
    expect(await rig.deliver(`https://receiver.test:${port}/`, TIMEOUT)).toMatchObject(TOO_LONG);
  }
  await proxy.stop();
  await new Promise((resolve) => server.close(resolve));
});

test('what came with earlier answers on a connection is not held against the next', async () => {
  const head = `HTTP/1.1 200 OK\r\ncontent-length: 16000\r\nx-a: ${'a'.repeat(15_000)}\r\n\r\n`;
  await using receiver = await rawReceiver((socket) => socket.write(head + 'b'.repeat(16_000)));
  await using rig = deliveryRig();
  for (let i = 0; i < 80; i++)
    expect(await rig.deliver(receiver.url)).toMatchObject({ kind: 'delivered', response: { truncated: false } });
  // 31 kB each: on few connections it comes to more than one answer may have.
  expect(receiver.connections.length).toBeLessThan(5);
});

test('a body of the largest size in chunks of a byte is whole', async () => {
  await using receiver = await rawReceiver((socket) =>
    socket.write(`${CHUNKED}${'1\r\na\r\n'.repeat(16_384)}0\r\n\r\n`),
  );
  await using rig = deliveryRig();
  expect(await rig.deliver(receiver.url)).toMatchObject({ kind: 'delivered', response: { truncated: false } });
});
