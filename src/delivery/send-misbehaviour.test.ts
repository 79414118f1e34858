import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { deliveryRig, ok, rawReceiver } from './fixtures/delivery-rig.ts';

const SHORT = { timeoutMs: 150 };

/** Writes `chunk` over and over, as often as `everyMs` allows, until the socket closes. */
function drip(socket: Socket, chunk: string | Buffer, everyMs = 5): void {
  const timer = setInterval(() => socket.write(chunk), everyMs);
  socket.once('close', () => clearInterval(timer));
}

/** Writes as fast as the socket takes it, until it closes. */
function flood(socket: Socket, chunk: Buffer): void {
  const pump = () => {
    while (!socket.destroyed && socket.write(chunk));
  };
  socket.on('drain', pump);
  pump();
}

test('a receiver that never answers times out at the total deadline, and its socket is destroyed', async () => {
  await using receiver = await rawReceiver(() => {});
  await using rig = deliveryRig();
  const outcome = await rig.deliver(receiver.url, SHORT);
  expect(outcome).toMatchObject({ kind: 'unreachable', reason: 'timeout', timing: { firstByteMs: null } });
  expect(outcome.kind === 'unreachable' && outcome.timing.totalMs).toBeGreaterThanOrEqual(150);
  await receiver.allClosed();
});

test('a receiver that hangs up without an answer is reset', async () => {
  for (const hangUp of [
    (socket: Socket) => socket.end(),
    (socket: Socket) => socket.destroy(),
    (socket: Socket) => socket.resetAndDestroy(),
  ]) {
    await using receiver = await rawReceiver(hangUp);
    await using rig = deliveryRig();
    expect(await rig.deliver(receiver.url)).toMatchObject({ kind: 'unreachable', reason: 'reset' });
    expect(receiver.requests).toHaveLength(1);
  }
});

test('headers that drip for ever time out at the total deadline', async () => {
  await using receiver = await rawReceiver((socket) => {
    socket.write('HTTP/1.1 200 OK\r\n');
    drip(socket, 'x-a: b\r\n');
  });
  await using rig = deliveryRig();
  expect(await rig.deliver(receiver.url, SHORT)).toMatchObject({ kind: 'unreachable', reason: 'timeout' });
  await receiver.allClosed();
});

test.each([
  [200, 'delivered'],
  [503, 'rejected'],
])('a body that drips for ever after %i is %s at the deadline, truncated', async (status, kind) => {
  await using receiver = await rawReceiver((socket) => {
    socket.write(`HTTP/1.1 ${status} X\r\ntransfer-encoding: chunked\r\n\r\n`);
    drip(socket, '1\r\nx\r\n');
  });
  await using rig = deliveryRig();
  // Long enough for the head to come, on a busy machine too.
  const outcome = await rig.deliver(receiver.url, { timeoutMs: 1_500 });
  expect(outcome).toMatchObject({ kind, response: { status, truncated: true } });
  if (outcome.kind !== 'delivered' && outcome.kind !== 'rejected') return;
  expect(Buffer.from(outcome.response.body).toString()).toMatch(/^x+$/);
  await receiver.allClosed();
});

test('a never-ending body is read to the cap, and its socket is destroyed', async () => {
  await using receiver = await rawReceiver((socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    flood(socket, Buffer.alloc(65_536, 'x'));
  });
  await using rig = deliveryRig({ maxResponseBytes: 1_000 });
  const outcome = await rig.deliver(receiver.url);
  expect(outcome).toMatchObject({ kind: 'delivered', response: { body: Buffer.alloc(1_000, 'x'), truncated: true } });
  await receiver.allClosed();
});

test('a body of exactly the cap is whole', async () => {
  await using receiver = await rawReceiver((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n${'a'.repeat(400)}`);
    setImmediate(() => socket.write('b'.repeat(600)));
  });
  await using rig = deliveryRig({ maxResponseBytes: 1_000 });
  const body = Buffer.from('a'.repeat(400) + 'b'.repeat(600));
  expect(await rig.deliver(receiver.url)).toMatchObject({ kind: 'delivered', response: { body, truncated: false } });
});

test('a gzip bomb is kept as it came, never inflated', async () => {
  const bomb = gzipSync(Buffer.alloc(4 * 1024 * 1024));
  await using receiver = await rawReceiver((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${bomb.length}\r\n\r\n`);
    socket.write(bomb);
  });
  await using rig = deliveryRig();
  expect(await rig.deliver(receiver.url)).toMatchObject({
    response: { body: bomb.subarray(0, 16_384), truncated: bomb.length > 16_384 },
  });
  const request = receiver.requests[0]!.toLowerCase();
  expect(request).not.toContain('accept-encoding');
});

test.each([
  ['200 KB of headers', `HTTP/1.1 200 OK\r\nx-a: ${'a'.repeat(200_000)}\r\ncontent-length: 0\r\n\r\n`],
  ['10,000 headers', `HTTP/1.1 200 OK\r\n${'x-a: b\r\n'.repeat(10_000)}content-length: 0\r\n\r\n`],
  ['bad chunking', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'],
  ['two Content-Length', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc'],
  [
    'Content-Length and chunking',
    'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['a Content-Length that is no number', 'HTTP/1.1 200 OK\r\ncontent-length: abc\r\n\r\n'],
  ['no HTTP at all', 'hello\r\n\r\n'],
  ['an SSH banner', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ['NUL in a header', 'HTTP/1.1 200 OK\r\nx-a: a\u0000b\r\n\r\n'],
  ['status 99', 'HTTP/1.1 099 X\r\ncontent-length: 0\r\n\r\n'],
  ['status 0', 'HTTP/1.1 000 X\r\ncontent-length: 0\r\n\r\n'],
  ['status 9999', 'HTTP/1.1 9999 X\r\ncontent-length: 0\r\n\r\n'],
  ['status 101 unasked', 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'],
  ['HTTP/2', 'HTTP/2 200 OK\r\n\r\n'],
])('%s breaks the protocol, and the next delivery is unharmed', async (_, bytes) => {
  await using receiver = await rawReceiver((socket, count) =>
    socket.write(count === 1 ? Buffer.from(bytes, 'latin1') : ok()),
  );
  await using rig = deliveryRig();
  expect(await rig.deliver(receiver.url)).toMatchObject({ kind: 'unreachable', reason: 'protocol' });
  expect(await rig.deliver(receiver.url)).toMatchObject({ kind: 'delivered' });
});

const hints = 'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n';
test.each([
  ['100', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ['102', 'HTTP/1.1 102 Processing\r\n\r\n'],
  ['103', hints],
  ['100, another and a 103', `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\nx: y\r\n\r\n${hints}`],
])(
  'a %s that nobody asked for is passed over, in one piece with the answer or before it, and its connection goes on',
  async (_, before) => {
    await using receiver = await rawReceiver((socket, count) => {
      if (count === 1) {
        socket.write(`${before}${ok('HTTP/1.1 100 Continue')}`);
        return;
      }
      socket.write(before.slice(0, 11));
      setImmediate(() => socket.write(before.slice(11), () => setImmediate(() => socket.write(ok()))));
    });
    await using rig = deliveryRig();
    expect(await rig.deliver(receiver.url)).toMatchObject({
      kind: 'delivered',
      response: { status: 200, headers: { 'content-length': '21' }, body: Buffer.from('HTTP/1.1 100 Continue') },
    });
    // undici looks at a connection again in the next turn.
    await new Promise((resolve) => setImmediate(resolve));
    expect(await rig.deliver(receiver.url)).toMatchObject({ kind: 'delivered', response: { body: Buffer.from('ok') } });
    expect(receiver.connections).toHaveLength(1);
  },
);

test('after a 100 alone the answer is waited for until the deadline', async () => {
  await using receiver = await rawReceiver((socket) => socket.write('HTTP/1.1 100 Continue\r\n\r\n'));
  await using rig = deliveryRig();
  expect(await rig.deliver(receiver.url, SHORT)).toMatchObject({ kind: 'unreachable', reason: 'timeout' });
  await receiver.allClosed();
});

test.each(['100 Continue', '102 Processing'])('a flood of %s is cut short', async (status) => {
  await using receiver = await rawReceiver((socket) =>
    flood(socket, Buffer.from(`HTTP/1.1 ${status}\r\n\r\n`.repeat(100))),
  );
  await using rig = deliveryRig();
  expect(await rig.deliver(receiver.url)).toMatchObject({ kind: 'unreachable', reason: 'protocol' });
  await receiver.allClosed();
});

test.each(['content-length: 5\r\n', ''])(
  'a 204 with a body (%j) is delivered, and the body poisons no later answer',
  async (framing) => {
    await using receiver = await rawReceiver((socket, count) =>
      socket.write(count === 1 ? `HTTP/1.1 204 No Content\r\n${framing}\r\nhello` : ok()),
    );
    await using rig = deliveryRig();
    expect(await rig.deliver(receiver.url)).toMatchObject({ kind: 'delivered', response: { status: 204 } });
    expect(await rig.deliver(receiver.url)).toMatchObject({
      kind: 'delivered',
      response: { status: 200, body: Buffer.from('ok') },
    });
  },
);

test('a second answer that nobody asked for is not taken for the next', async () => {
  await using receiver = await rawReceiver((socket, count) =>
    socket.write(count === 1 ? `${ok('one')}${ok('forged')}` : ok('two')),
  );
  await using rig = deliveryRig();
  expect(await rig.deliver(receiver.url)).toMatchObject({ response: { body: Buffer.from('one') } });
  expect(await rig.deliver(receiver.url)).toMatchObject({ response: { body: Buffer.from('two') } });
});

test.each([
  ['content-length: 100\r\n', 'short'],
  ['content-length: 100\r\nconnection: close\r\n', 'short'],
  ['transfer-encoding: chunked\r\n', '5\r\nshort\r\n'],
  ['transfer-encoding: chunked\r\nconnection: close\r\n', '5\r\nshort\r\n'],
])('a body cut off after a 2xx (%j) is delivered, truncated: the receiver has answered', async (framing, body) => {
  await using receiver = await rawReceiver((socket) => socket.end(`HTTP/1.1 200 OK\r\n${framing}\r\n${body}`));
  await using rig = deliveryRig();
  expect(await rig.deliver(receiver.url)).toMatchObject({
    kind: 'delivered',
    response: { body: Buffer.from('short'), truncated: true },
  });
});

test('a body that ends with the connection is whole', async () => {
  await using receiver = await rawReceiver((socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nwhole'));
  await using rig = deliveryRig();
  expect(await rig.deliver(receiver.url)).toMatchObject({
    kind: 'delivered',
    response: { body: Buffer.from('whole'), truncated: false },
  });
});

test('a header named __proto__ is a header', async () => {
  await using receiver = await rawReceiver((socket) => socket.write(ok('', '__proto__: a\r\nconstructor: b\r\n')));
  await using rig = deliveryRig();
  const outcome = await rig.deliver(receiver.url);
  expect(outcome).toMatchObject({ kind: 'delivered' });
  if (outcome.kind !== 'delivered') return;
  expect(JSON.parse(JSON.stringify(outcome.response.headers))).toMatchObject({ constructor: 'b' });
  expect(Object.getPrototypeOf(outcome.response.headers)).toBe(Object.prototype);
});

test('a body dripped byte by byte does not cost a buffer a byte', async () => {
  const length = 8_000;
  await using receiver = await rawReceiver((socket) => {
    socket.setNoDelay(true);
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${length}\r\n\r\n`);
    let sent = 0;
    const step = () => {
      for (let i = 0; i < 100 && sent < length; i++, sent++) socket.write('x');
      if (sent < length) setImmediate(step);
    };
    step();
  });
  await using rig = deliveryRig();
  const outcome = await rig.deliver(receiver.url);
  expect(outcome).toMatchObject({ kind: 'delivered', response: { body: Buffer.alloc(length, 'x'), truncated: false } });
});

test('of a request that is not answered on a connection from before, or waits for one that is taken, it is told that there was a connection', async () => {
  await using receiver = await rawReceiver((socket, count) => {
    if (count === 1) socket.write(ok());
  });
  await using rig = deliveryRig({ connectionsPerOrigin: 1 });
  expect(await rig.deliver(receiver.url)).toMatchObject({ kind: 'delivered' });
  const outcomes = await Promise.all([rig.deliver(receiver.url, { timeoutMs: 600 }), rig.deliver(receiver.url, SHORT)]);
  expect(receiver.connections).toHaveLength(1);
  for (const outcome of outcomes)
    expect(outcome).toMatchObject({ reason: 'timeout', wasConnected: true, timing: { connectMs: null } });
});
