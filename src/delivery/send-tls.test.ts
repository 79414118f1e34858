import { createServer as createTcpServer } from 'node:net';
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { expect, test, vi } from 'vitest';
import { deliveryRig, listen, ok, pem } from './fixtures/delivery-rig.ts';

const zone = { 'receiver.test': ['127.0.0.1'], 'other.test': ['127.0.0.1'] };

/** A TLS receiver that answers every request with 200. */
async function tlsReceiver(identity: string, options: TlsOptions = {}) {
  const sockets: TLSSocket[] = [];
  const server = createServer({ key: pem(identity), cert: pem(identity), ...options }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', () => socket.write(ok()));
  });
  server.on('tlsClientError', () => {});
  const port = await listen(server);
  return {
    port,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((settle) => server.close(settle));
    },
  };
}

const trusting = () => deliveryRig({ zone, ca: [pem('ca')] });

test('a receiver with a good certificate is delivered to, by name and by address', async () => {
  await using receiver = await tlsReceiver('localhost');
  await using rig = trusting();
  expect(await rig.deliver(`https://receiver.test:${receiver.port}/`)).toMatchObject({
    kind: 'delivered',
    timing: { dnsMs: expect.any(Number), connectMs: expect.any(Number) },
  });
  expect(receiver.sockets[0]!.servername).toBe('receiver.test');
  expect(await rig.deliver(`https://127.0.0.1:${receiver.port}/`)).toMatchObject({
    kind: 'delivered',
    timing: { dnsMs: null },
  });
  expect(receiver.sockets[1]!.servername).toBe(false);
});

test.each([
  ['expired', 'CERT_HAS_EXPIRED'],
  ['self-signed', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ['wrong-host', 'ERR_TLS_CERT_ALTNAME_INVALID'],
])('a certificate that is %s is refused, every time', async (identity, code) => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    await using receiver = await tlsReceiver(identity, { maxVersion });
    await using rig = trusting();
    for (const url of [`https://receiver.test:${receiver.port}/`, `https://127.0.0.1:${receiver.port}/`]) {
      for (let attempt = 0; attempt < 3; attempt++) {
        expect(await rig.deliver(url), `${maxVersion} ${url} ${attempt}`).toMatchObject({
          kind: 'unreachable',
          reason: 'tls',
          detail: expect.stringContaining(code),
        });
      }
    }
  }
});

test('NODE_TLS_REJECT_UNAUTHORIZED cannot turn verification off', async () => {
  await using receiver = await tlsReceiver('self-signed');
  await using rig = trusting();
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
  try {
    expect(await rig.deliver(`https://receiver.test:${receiver.port}/`)).toMatchObject({
      kind: 'unreachable',
      reason: 'tls',
    });
  } finally {
    vi.unstubAllEnvs();
  }
});

test('a second connection to a receiver resumes the session of the first', async () => {
  await using receiver = await tlsReceiver('localhost', { maxVersion: 'TLSv1.2' });
  await using rig = trusting();
  const url = `https://receiver.test:${receiver.port}/`;
  expect(await rig.deliver(url)).toMatchObject({ kind: 'delivered' });
  const closed = new Promise((settle) => receiver.sockets[0]!.once('close', settle));
  receiver.sockets[0]!.end();
  await closed;
  expect(await rig.deliver(url)).toMatchObject({ kind: 'delivered' });
  expect(receiver.sockets.map((socket) => Boolean(socket.isSessionReused()))).toEqual([false, true]);
});

test('TLS is not downgraded below 1.2', async () => {
  await using receiver = await tlsReceiver('localhost', {
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.1',
    ciphers: 'ALL:@SECLEVEL=0',
  });
  await using rig = trusting();
  expect(await rig.deliver(`https://receiver.test:${receiver.port}/`)).toMatchObject({
    kind: 'unreachable',
    reason: 'tls',
    detail: expect.stringContaining('the two sides have no version of TLS in common'),
  });
});

test('a receiver that has no cipher in common with us refuses the handshake', async () => {
  await using receiver = await tlsReceiver('localhost', { maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA' });
  await using rig = trusting();
  expect(await rig.deliver(`https://receiver.test:${receiver.port}/`)).toMatchObject({
    kind: 'unreachable',
    reason: 'tls',
    detail: expect.stringContaining('the other side refused the TLS handshake'),
  });
});

test('a receiver that wants a client certificate is unreachable for its TLS', async () => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    await using receiver = await tlsReceiver('localhost', {
      maxVersion,
      requestCert: true,
      rejectUnauthorized: true,
      ca: [pem('ca')],
    });
    await using rig = trusting();
    const outcome = await rig.deliver(`https://receiver.test:${receiver.port}/`);
    expect(outcome, maxVersion).toMatchObject({ kind: 'unreachable', reason: expect.stringMatching(/^(tls|reset)$/) });
  }
});

test('a handshake that hangs times out within the time to connect', async () => {
  const server = createTcpServer((socket) => socket.on('error', () => {}));
  const port = await listen(server);
  await using rig = deliveryRig({ zone, connectTimeoutMs: 100 });
  expect(await rig.deliver(`https://receiver.test:${port}/`)).toMatchObject({
    kind: 'unreachable',
    reason: 'timeout',
    detail: expect.stringContaining('TLS handshake'),
  });
  server.close();
});

test.each([
  ['does not speak TLS', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'what answers on this port does not speak TLS'],
  ['hangs up', '', 'TLS handshake failed: connection was reset'],
])('a receiver that %s is unreachable for its TLS', async (_what, greet, detail) => {
  const server = createTcpServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(greet));
  });
  const port = await listen(server);
  await using rig = trusting();
  expect(await rig.deliver(`https://receiver.test:${port}/`)).toMatchObject({
    kind: 'unreachable',
    reason: 'tls',
    detail: expect.stringMatching(new RegExp(`^${detail} \\(\\w+\\)$`)),
  });
  server.close();
});
