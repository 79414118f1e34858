import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, beforeAll, expect, test } from 'vitest';
import type { BrokerDestination } from '../../domain/destination.ts';
import type { Outcome } from '../../domain/outcome.ts';
import { compileEgressPolicy } from '../egress-policy.ts';
import { fakeResolver, freePort, listen, pem, type Zone } from '../fixtures/delivery-rig.ts';
import type { BrokerMessage, KafkaMessage, RabbitmqMessage } from '../prepare.ts';
import type { Sender } from '../sender.ts';
import { createKafkaSender } from './kafka-sender.ts';
import { createRabbitmqSender } from './rabbitmq-sender.ts';

const TYPES = ['kafka', 'rabbitmq'] as const;
const ca = pem('ca');
const closing: (() => Promise<void>)[] = [];

// The clients are loaded when they are first needed, which takes its time.
beforeAll(() => Promise.all([import('./kafka-client.ts'), import('./rabbitmq-link.ts')]));
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

interface Peer {
  readonly port: number;
  readonly connections: Socket[];
}

/** A peer that is no broker: it does with each connection as told. */
async function peer(behave: (socket: Socket) => void, certificate?: string): Promise<Peer> {
  const connections: Socket[] = [];
  const accept = (socket: Socket) => {
    connections.push(socket);
    socket.on('error', () => {});
    behave(socket);
  };
  const server: Server =
    certificate === undefined
      ? createServer(accept)
      : createTlsServer({ key: pem(certificate), cert: pem(certificate) }, accept).on('tlsClientError', () => {});
  const port = await listen(server);
  closing.push(async () => {
    for (const socket of connections) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { port, connections };
}

/** What an attempt comes to at `127.0.0.1` or another host. */
async function deliver(
  type: BrokerDestination['type'],
  port: number,
  {
    host = '127.0.0.1',
    tls = false,
    timeoutMs = 20_000,
    connectTimeoutMs = 10_000,
    networks = ['127.0.0.0/8'],
    zone = {} as Zone,
    hasLogin = true,
  } = {},
): Promise<Outcome> {
  const egress = {
    policy: compileEgressPolicy({ allowedNetworks: networks }),
    ...{ resolver: fakeResolver(zone), tickMs: 10, connectTimeoutMs },
  };
  const sender = (type === 'kafka' ? createKafkaSender(egress) : createRabbitmqSender(egress)) as Sender<BrokerMessage>;
  closing.push(() => sender.close());
  return new Promise((resolve) =>
    sender.send(messageTo(type, `${host}:${port}`, { tls, timeoutMs, hasLogin }), resolve),
  );
}

function messageTo(
  type: BrokerDestination['type'],
  at: string,
  { tls, timeoutMs, hasLogin }: { readonly tls: boolean; readonly timeoutMs: number; readonly hasLogin: boolean },
): BrokerMessage {
  const prepared = { tenantNum: 1, headers: ['webhook-id', 'evt_1'], body: Buffer.from('{}'), timeoutMs };
  const common = { tls, ca: tls ? ca : null };
  if (type === 'rabbitmq') {
    const place = { hosts: [at], vhost: '/', exchange: 'events', routing: { key: '' }, username: 'u', password: 'p' };
    const message: RabbitmqMessage = { type, destination: { type, ...place, ...common }, routingKey: '', ...prepared };
    return message;
  }
  const sasl = hasLogin ? ({ mechanism: 'SCRAM-SHA-256', username: 'u', password: 'p' } as const) : null;
  const place = { brokers: [at], topic: 'events', key: 'subject', sasl } as const;
  const message: KafkaMessage = { type, destination: { type, ...place, ...common }, key: null, ...prepared };
  return message;
}

test.each(TYPES)('%s: what is not allowed is blocked, and no socket opens', async (type) => {
  const { port, connections } = await peer(() => {});
  const zone = { 'inside.test': ['127.0.0.1'] };
  for (const host of ['127.0.0.1', 'inside.test'])
    expect(await deliver(type, port, { host, networks: [], zone })).toMatchObject({ kind: 'blocked' });
  expect(connections).toHaveLength(0);
});

test.each(TYPES)('%s: a refused connection, and one that closes, is unreachable at once', async (type) => {
  expect(await deliver(type, await freePort())).toMatchObject({ kind: 'unreachable', reason: 'refused' });
  const { port } = await peer((socket) => socket.destroy());
  expect(await deliver(type, port)).toMatchObject({ kind: 'unreachable', reason: 'reset' });
});

test.each(TYPES)('%s: an address that refuses gives way to the next', async (type) => {
  const { port, connections } = await peer((socket) => socket.destroy());
  await deliver(type, port, { host: 'two.test', zone: { 'two.test': ['127.0.0.9', '127.0.0.1'] } });
  expect(connections.length).toBeGreaterThan(0);
});

test.each(TYPES)('%s: a peer that says nothing costs the attempt its time, and its connection is cut', async (type) => {
  const { port, connections } = await peer((socket) => socket.resume());
  const times = { timeoutMs: 300, connectTimeoutMs: 2_000 };
  expect(await deliver(type, port, times)).toMatchObject({ kind: 'unreachable', reason: 'timeout' });
  const closed = connections.map(
    (socket) => new Promise((resolve) => (socket.closed ? resolve(0) : socket.once('close', resolve))),
  );
  await Promise.all(closed);
});

test.each(TYPES)('%s: a server of another protocol is unreachable, and the process lives on', async (type) => {
  for (const text of ['HTTP/1.1 400 Bad Request\r\n\r\n', '-ERR unknown command\r\n', '\u0000'.repeat(4_000)]) {
    const { port } = await peer((socket) => socket.once('data', () => socket.write(text)));
    expect(await deliver(type, port)).toMatchObject({ kind: 'unreachable' });
  }
});

test.each(TYPES)('%s: a peer that never stops sending is cut off', async (type) => {
  let sent = 0;
  const chunk = Buffer.alloc(64 * 1024, 1);
  // A frame of almost 2 GiB, as both protocols would read it.
  const head = Buffer.from([0x7f, 0, 0, 0x7f, 0xff, 0xff, 0xff]);
  const { port } = await peer((socket) => {
    const more = () => {
      while (!socket.destroyed && socket.write(chunk)) sent += chunk.length;
    };
    socket.once('data', () => {
      socket.write(type === 'kafka' ? head.subarray(3) : Buffer.from([1, ...head.subarray(1, 3), ...head.subarray(3)]));
      more();
    });
    socket.on('drain', more);
  });
  expect(await deliver(type, port)).toMatchObject({ kind: 'unreachable' });
  expect(sent).toBeLessThan(32 * 1024 * 1024);
});

test.each(TYPES)('%s: random bytes in place of answers never end the process', async (type) => {
  const { port } = await peer((socket) => {
    socket.on('data', () => {
      const bytes = Buffer.from(Array.from({ length: 64 }, () => Math.floor(Math.random() * 256)));
      if (type === 'kafka') bytes.writeInt32BE(60, 0);
      socket.write(bytes);
    });
  });
  for (let i = 0; i < 20; i++)
    expect(await deliver(type, port, { timeoutMs: 500 })).toMatchObject({ kind: 'unreachable' });
});

test.each(TYPES)('%s: a certificate of a stranger, of another host or of yesterday is refused', async (type) => {
  const zone = { 'localhost.test': ['127.0.0.1'] };
  for (const certificate of ['self-signed', 'expired', 'wrong-host']) {
    const { port } = await peer(() => {}, certificate);
    const outcome = await deliver(type, port, { host: 'localhost.test', tls: true, zone });
    expect(outcome, certificate).toMatchObject({ kind: 'unreachable', reason: 'tls' });
  }
});

test('kafka: a broker that asks for endless hashing, or answers a login with nonsense, costs it its own attempt', async () => {
  for (const answer of ['r=NONCEx,s=c2FsdA==,i=2000000000', 'nonsense', 'r=NONCEx', 's=c2FsdA==,i=4096', '']) {
    const { port } = await peer(kafkaLogin(answer));
    expect(await deliver('kafka', port)).toMatchObject({ kind: expect.stringMatching(/^(rejected|unreachable)$/) });
  }
});

/** Takes a client as far as its SCRAM login, and answers that with a text in which NONCE is the client's. */
function kafkaLogin(text: string): (socket: Socket) => void {
  return (socket) => {
    socket.on('data', (request: Buffer) => {
      const [api, correlation] = [request.readInt16BE(4), request.subarray(8, 12)];
      const nonce = /r=([^,]+)/.exec(request.toString('latin1'))?.[1] ?? '';
      socket.write(frame(correlation, answerTo(api, text.replace('NONCE', nonce))));
    });
  };
}

function answerTo(api: number, text: string): Buffer {
  // ApiVersions v1 that offers SaslAuthenticate v0 to v1; SaslHandshake v1 with no mechanisms; SaslAuthenticate v1.
  if (api === 18) return Buffer.from([0, 0, 0, 0, 0, 1, 0, 36, 0, 0, 0, 1, 0, 0, 0, 0]);
  if (api === 17) return Buffer.from([0, 0, 0, 0, 0, 0]);
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeInt32BE(bytes.length);
  return Buffer.concat([Buffer.from([0, 0, 0xff, 0xff]), length, bytes, Buffer.alloc(8)]);
}

function frame(correlation: Buffer, body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(4 + body.length);
  return Buffer.concat([length, correlation, body]);
}

test('kafka: an answer whose lengths lead back to what was read already is refused, and memory is not exhausted by it', async () => {
  // ApiVersions: no error, 2³¹ − 2 elements; the first has a tagged field of −13 bytes, and so comes again.
  const loop = '0000ffffffff0700120000000401' + '00f3ffffff0f';
  const { port } = await peer((socket) =>
    socket.once('data', (request: Buffer) => {
      const answer = Buffer.concat([request.subarray(8, 12), Buffer.from(loop, 'hex')]);
      const length = Buffer.alloc(4);
      length.writeInt32BE(answer.length);
      socket.write(Buffer.concat([length, answer]));
    }),
  );
  expect(await deliver('kafka', port, { hasLogin: false })).toMatchObject({ kind: 'unreachable' });
});

test('kafka: a broker that names more parts of the protocol than there are costs it the attempt, and nothing of it is kept', async () => {
  const element = Buffer.from([0, 18, 0, 0, 0, 4, 0]);
  const count = 1_001;
  const size = Buffer.from([((count + 1) & 0x7f) | 0x80, (count + 1) >> 7]);
  const versions = Buffer.concat([
    Buffer.alloc(2),
    size,
    Buffer.alloc(count * element.length, element),
    Buffer.alloc(5),
  ]);
  const { port } = await peer((socket) => {
    socket.on('data', (request: Buffer) => socket.write(frame(request.subarray(8, 12), versions)));
  });
  expect(await deliver('kafka', port, { hasLogin: false })).toMatchObject({
    kind: 'unreachable',
    reason: 'protocol',
    detail: expect.stringMatching(/more parts/),
  });
});
