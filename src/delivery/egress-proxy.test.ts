import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startEgressProxy, type TestProxy } from '../../tests/support/egress-proxy.ts';
import { readEgressProxy } from './egress-proxy.ts';
import { deliveryRig, freePort, listen, ok, pem, rawReceiver, type Zone } from './fixtures/delivery-rig.ts';
import { until } from './fixtures/many-addresses.ts';
import type { SenderOptions } from './send.ts';

let proxy: TestProxy;

beforeEach(async () => {
  proxy = await startEgressProxy();
});

afterEach(() => proxy.stop().catch(() => {}));

const zone = { 'receiver.test': ['127.0.0.1'], 'stranger.test': ['127.0.0.1'], 'two.test': ['127.0.0.2', '127.0.0.1'] };
const rigOf = (more: Partial<SenderOptions> & { rules?: object; url?: string; zone?: Zone } = {}) =>
  deliveryRig({ zone, proxy: readEgressProxy(more.url ?? proxy.url), ...more });

const PAGE = expect.stringContaining('it answered CONNECT with a body');
const MISMATCH = expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID');

async function tlsReceiver(identity: string, host?: string) {
  const server = createTlsServer({ key: pem(identity), cert: pem(identity) }, (socket) => {
    socket.on('error', () => {});
    socket.on('data', () => socket.write(ok()));
  });
  server.on('tlsClientError', () => {});
  return { server, port: await listen(server, host) };
}

test('a delivery goes through the proxy, to the address that was checked and not to a name', async () => {
  await using receiver = await rawReceiver((socket) => socket.write(ok()));
  await using rig = rigOf({ url: proxy.url.replace('//', '//us%40er:s3cret@') });
  const url = `http://receiver.test:${receiver.port}/hook`;
  for (let i = 0; i < 6; i++) expect(await rig.deliver(url)).toMatchObject({ kind: 'delivered' });
  const credentials = `Basic ${Buffer.from('us@er:s3cret').toString('base64')}`;
  expect(proxy.asked[0]).toEqual({ authority: `127.0.0.1:${receiver.port}`, credentials });
  // A tunnel is kept like any connection.
  expect(proxy.asked.length).toBeLessThan(6);
  expect(receiver.requests[0]).toContain(`host: receiver.test:${receiver.port}`);
  expect(receiver.requests.join('')).not.toContain('proxy-authorization');
});

test('TLS is spoken with the receiver through the proxy, and its certificate held against its name', async () => {
  const { server, port } = await tlsReceiver('localhost');
  await using rig = rigOf({ ca: [pem('ca')] });
  expect(await rig.deliver(`https://receiver.test:${port}/`)).toMatchObject({ kind: 'delivered' });
  expect(await rig.deliver(`https://stranger.test:${port}/`)).toMatchObject({ kind: 'unreachable', reason: 'tls' });
  expect(proxy.asked.map(({ authority }) => authority)).toEqual([`127.0.0.1:${port}`, `127.0.0.1:${port}`]);
  await rig.sender.close();
  await new Promise((resolve) => server.close(resolve));
});

test.each([
  ['is among them', 'literal', '127.0.0.1', 'delivered'],
  ['is not, though localhost is', 'localhost', '127.0.0.2', 'unreachable'],
])(
  'TLS with an address, through the proxy, holds the certificate against the address: one that %s',
  async (_what, identity, host, kind) => {
    const { server, port } = await tlsReceiver(identity, host);
    await using rig = rigOf({ ca: [pem('literal'), pem('ca')] });
    const outcome = await rig.deliver(`https://${host}:${port}/`);
    expect(outcome).toMatchObject(kind === 'delivered' ? { kind } : { kind, reason: 'tls', detail: MISMATCH });
    await rig.sender.close();
    await new Promise((resolve) => server.close(resolve));
  },
);

test('what the egress rules deny is never asked of the proxy', async () => {
  await using rig = rigOf({ rules: { allowedNetworks: [] } });
  expect(await rig.deliver('http://receiver.test/')).toMatchObject({ kind: 'blocked' });
  expect(await rig.deliver('http://169.254.169.254/')).toMatchObject({ kind: 'blocked' });
  expect(proxy.asked).toEqual([]);
});

test('an address that the proxy cannot reach gives way to the next, and the last one’s failure is the receiver’s', async () => {
  await using receiver = await rawReceiver((socket) => socket.write(ok()));
  await using rig = rigOf();
  expect(await rig.deliver(`http://two.test:${receiver.port}/`)).toMatchObject({ kind: 'delivered' });
  const outcome = await rig.deliver(`http://two.test:${await freePort()}/`);
  expect(outcome).toMatchObject({ kind: 'unreachable', reason: 'network', detail: expect.stringContaining('502') });
  expect(outcome).not.toHaveProperty('ours');
});

test('where an address of the proxy does not take the connection, the next one does', async () => {
  await using receiver = await rawReceiver((socket) => socket.write(ok()));
  const url = `http://proxy.test:${proxy.port}`;
  const addresses = ['127.0.0.2', '::1', '127.0.0.1'];
  await using rig = rigOf({ url, zone: { ...zone, 'proxy.test': addresses } });
  expect(await rig.deliver(`http://receiver.test:${receiver.port}/`)).toMatchObject({ kind: 'delivered' });
  await proxy.stop();
  expect(await rig.deliver(`http://receiver.test:${receiver.port}/`)).toMatchObject({
    ours: 'proxy',
    detail: expect.stringContaining('refused'),
  });
});

test.each([
  ['wants credentials', 'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n', '407'],
  ['speaks something else', 'SSH-2.0-OpenSSH\r\n\r\n', 'not HTTP'],
  ['hangs up', '', 'closed before an answer'],
  ['answers with a page', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', 'body'],
  ['answers with a page until its end', 'HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<html>', 'body'],
  ['answers with a page and odd blanks', 'HTTP/1.1 200 OK\r\nContent-Length\t: 5\r\n\r\nhello', 'body'],
  ['answers with a page in chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello', 'body'],
])('a proxy that %s is a fault of our own', async (_what, answer, detail) => {
  proxy.answer = answer;
  await using rig = rigOf();
  expect(await rig.deliver('http://receiver.test/')).toMatchObject({
    kind: 'unreachable',
    reason: 'network',
    ours: 'proxy',
    detail: expect.stringMatching(`^egress proxy: .*${detail}`),
  });
});

test.each(['http', 'https'])(
  'a receiver that speaks first fares through the proxy as it does without, over %s, also where its words come with the answer of the proxy',
  async (scheme) => {
    const banner = 'SSH-2.0-OpenSSH_9.2\r\n';
    const speaksFirst = createTcpServer((socket) =>
      socket
        .on('error', () => {})
        .resume()
        .end(banner),
    );
    const url = `${scheme}://127.0.0.1:${await listen(speaksFirst)}/`;
    await using direct = deliveryRig();
    const reason = scheme === 'http' ? 'protocol' : 'tls';
    expect(await direct.deliver(url)).toMatchObject({ kind: 'unreachable', reason });
    await using rig = rigOf();
    for (const head of ['HTTP/1.1 200 OK\r\n\r\n', 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n']) {
      proxy.answer = head + banner;
      const outcome = await rig.deliver(url);
      expect(outcome).toMatchObject({ kind: 'unreachable', reason });
      expect(outcome).not.toHaveProperty('ours');
    }
    await new Promise((resolve) => speaksFirst.close(resolve));
  },
);

const ESTABLISHED = 'HTTP/1.1 200 Connection established\r\n\r\n';

test('G2: what comes with the proxy’s answer is not the receiver’s answer, be it one of HTTP: the request was not written yet', async () => {
  await using receiver = await rawReceiver((socket) => socket.write('HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n'));
  await using rig = rigOf();
  proxy.preface = ESTABLISHED;
  const outcome = await rig.deliver(`http://receiver.test:${receiver.port}/`);
  expect(outcome).toMatchObject({ kind: 'unreachable', reason: 'protocol' });
  expect(outcome).not.toHaveProperty('ours');
  expect(receiver.requests).toEqual([]);
  proxy.preface = '';
  expect(await rig.deliver(`http://receiver.test:${receiver.port}/`)).toMatchObject({ kind: 'rejected' });
});

/** Calls back as soon as a socket that is opened meanwhile has read what it waited for, and reads on. */
function onceRead(callback: () => void): void {
  const channel = 'net.client.socket';
  const listener = (message: unknown) => {
    unsubscribe(channel, listener);
    (message as { socket: Socket }).socket.once('pause', callback);
  };
  subscribe(channel, listener);
}

/** A proxy that says one thing, and the other once the first has been read. */
async function proxyInParts(first: string, then: (socket: Socket) => void) {
  const server = createTcpServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      onceReadDo = () => then(socket);
      socket.write(first);
    });
  });
  let onceReadDo = () => {};
  const port = await listen(server);
  onceRead(() => onceReadDo());
  const close = () => new Promise((resolve) => server.close(resolve));
  return { url: `http://127.0.0.1:${port}`, close };
}

test('G2: nor is what comes right after the proxy’s answer', async () => {
  const parts = await proxyInParts(ESTABLISHED, (socket) => socket.end(ESTABLISHED));
  await using rig = rigOf({ url: parts.url });
  expect(await rig.deliver('http://receiver.test/')).toMatchObject({ kind: 'unreachable', reason: 'protocol' });
  await rig.sender.close();
  await parts.close();
});

test('a tunnel that is cut right after the proxy’s answer is cut by the receiver, for all that is known', async () => {
  const parts = await proxyInParts(ESTABLISHED, (socket) => socket.resetAndDestroy());
  await using rig = rigOf({ url: parts.url });
  const outcome = await rig.deliver('http://receiver.test/');
  expect(outcome).toMatchObject({ kind: 'unreachable', reason: 'reset' });
  expect(outcome).not.toHaveProperty('ours');
  await rig.sender.close();
  await parts.close();
});

test.each(['http', 'https'])(
  'a page of which the head alone comes with the proxy’s answer is the proxy’s, over %s, however much later the rest comes',
  async (scheme) => {
    const page = createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () =>
        socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n'),
      );
      // The request, or the beginning of TLS: only then comes the body.
      socket.once('data', () => socket.once('data', () => socket.end('<html>')));
    });
    const port = await listen(page);
    await using rig = rigOf({ url: `http://127.0.0.1:${port}` });
    expect(await rig.deliver(`${scheme}://receiver.test/`)).toMatchObject({ ours: 'proxy', detail: PAGE });
    await rig.sender.close();
    await new Promise((resolve) => page.close(resolve));
  },
);

test.each(['http', 'https'])(
  'where a head announces a body and a tunnel follows all the same, the receiver fares in it as in any, over %s',
  async (scheme) => {
    proxy.head = 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n';
    const { server, port } = await tlsReceiver('localhost');
    const answers = [ok(), 'no HTTP'];
    await using receiver = await rawReceiver((socket) => socket.write(answers.shift()!));
    await using rig = rigOf({ ca: [pem('ca')], connectionsPerOrigin: 1 });
    const url = scheme === 'http' ? `http://receiver.test:${receiver.port}/` : `https://receiver.test:${port}/`;
    expect(await rig.deliver(url)).toMatchObject({ kind: 'delivered' });
    const other = scheme === 'http' ? url : `https://stranger.test:${port}/`;
    const outcome = await rig.deliver(other);
    expect(outcome).toMatchObject({ kind: 'unreachable', reason: scheme === 'http' ? 'protocol' : 'tls' });
    expect(outcome).not.toHaveProperty('ours');
    await rig.sender.close();
    await new Promise((resolve) => server.close(resolve));
  },
);

test('what a receiver says at once is kept for TLS, byte for byte, where it comes with the answer of the proxy', async () => {
  const fatalInternalError = '\x15\x03\x03\x00\x02\x02\x50';
  proxy.answer = `HTTP/1.1 200 OK\r\n\r\n${fatalInternalError}`;
  await using rig = rigOf();
  const outcome = await rig.deliver('https://receiver.test/');
  expect(outcome).toMatchObject({ reason: 'tls', detail: expect.stringContaining('ALERT_INTERNAL_ERROR') });
});

test.each([400, 404, 500, 501, 502, 503])(
  'of %i it is not known whether the proxy or the receiver is at fault: it counts as the receiver’s, until most fare so',
  async (status) => {
    proxy.answer = `HTTP/1.1 ${status} Oops\r\n\r\n`;
    await using rig = rigOf();
    const outcome = await rig.deliver('http://receiver.test/');
    expect(outcome).toMatchObject({
      kind: 'unreachable',
      reason: 'network',
      detail: expect.stringContaining(`(${status})`),
    });
    expect(outcome).not.toHaveProperty('ours');
  },
);

test('a proxy that is not there is a fault of our own; one that forbids a receiver blocks it', async () => {
  proxy.answer = 'HTTP/1.1 403 Forbidden\r\n\r\n';
  await using rig = rigOf();
  expect(await rig.deliver('http://receiver.test/')).toMatchObject({ kind: 'blocked' });
  await proxy.stop();
  for (const url of [proxy.url, 'http://nowhere.test:3128']) {
    await using other = rigOf({ url });
    expect(await other.deliver('http://receiver.test/')).toMatchObject({ kind: 'unreachable', ours: 'proxy' });
  }
});

test('a proxy that takes the connection and says nothing costs no more than the time to connect', async () => {
  const silent = createServer();
  silent.on('connect', () => {});
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  await using rig = rigOf({ url: `http://127.0.0.1:${port}`, connectTimeoutMs: 300 });
  const outcome = await rig.deliver('http://receiver.test/');
  // It may be the receiver that does not answer the proxy: then it is no fault of the proxy.
  expect(outcome).toMatchObject({ kind: 'unreachable', reason: 'timeout', timing: { connectMs: null } });
  silent.closeAllConnections();
  silent.close();
});

test('an address that the proxy has not reached in its share of the time is waited for beside the next', async () => {
  const asked: string[] = [];
  const sockets: Socket[] = [];
  const slow = createTcpServer((socket) => {
    sockets.push(socket.on('error', () => {}));
    socket.on('data', (data) => {
      if (!data.toString().startsWith('CONNECT')) socket.write(ok());
      else if (asked.push(data.toString().split(' ')[1]!) === 2) sockets[0]!.write('HTTP/1.1 200 OK\r\n\r\n');
    });
  });
  const port = await listen(slow);
  await using rig = rigOf({ url: `http://127.0.0.1:${port}`, connectTimeoutMs: 4_000 });
  expect(await rig.deliver('http://two.test:4000/')).toMatchObject({ kind: 'delivered' });
  expect(asked).toEqual(['127.0.0.2:4000', '127.0.0.1:4000']);
  expect(sockets).toHaveLength(2);
  await until(() => sockets[1]!.closed);
  await rig.sender.close();
  await new Promise((resolve) => slow.close(resolve));
});
