import { createSocket, type RemoteInfo } from 'node:dgram';
import { expect, test } from 'vitest';
import { caresBackend, createResolver } from './resolver.ts';

const A = 1;
const CNAME = 5;
/** The name of the question, which stands at offset 12 (RFC 1035 §4.1.4). */
const POINTER_TO_QUESTION = Buffer.from([0xc0, 12]);
const LOCALHOST = Buffer.from('\x09localhost\0', 'latin1');

interface ResourceRecord {
  readonly name: Buffer;
  readonly type: number;
  readonly data: Buffer;
}

/** The name and type that a query of one question asks for (RFC 1035 §4.1.2). */
function questionOf(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

function reply(query: Buffer, rcode: number, records: readonly ResourceRecord[] = []): Buffer {
  const head = Buffer.from(query.subarray(0, questionOf(query).end));
  head.writeUInt16BE(0x8180 | rcode, 2);
  for (const [at, count] of [
    [4, 1],
    [6, records.length],
    [8, 0],
    [10, 0],
  ] as const)
    head.writeUInt16BE(count, at);
  const answers = records.map(({ name, type, data }) => {
    return Buffer.concat([name, Buffer.from([0, type, 0, 1, 0, 0, 0, 30, 0, data.length]), data]);
  });
  return Buffer.concat([head, ...answers]);
}

/** A name server on loopback; no answer where `answer` gives null. */
async function nameServer(answer: (name: string, type: number, query: Buffer) => Buffer | null) {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 1024 * 1024 });
  socket.on('message', (query: Buffer, from: RemoteInfo) => {
    const { name, type } = questionOf(query);
    const bytes = answer(name, type, query);
    if (bytes !== null) socket.send(bytes, from.port, from.address);
  });
  await new Promise<void>((settle) => socket.bind(0, '127.0.0.1', settle));
  return { address: `127.0.0.1:${socket.address().port}`, [Symbol.dispose]: () => void socket.close() };
}

const resolverOf = (server: string, timeoutMs = 5_000) =>
  createResolver({ backend: caresBackend([server]), hosts: { addressesOf: async () => [] }, timeoutMs });

test('a CNAME is followed to its addresses, so that an alias of localhost is seen for what it is', async () => {
  using server = await nameServer((_, type, query) => {
    if (type !== A) return reply(query, 0);
    const alias = { name: POINTER_TO_QUESTION, type: CNAME, data: LOCALHOST };
    return reply(query, 0, [alias, { name: LOCALHOST, type: A, data: Buffer.from([127, 0, 0, 1]) }]);
  });
  const resolver = resolverOf(server.address);
  expect(await resolver.resolve('alias.test')).toEqual({ ok: true, addresses: ['127.0.0.1'] });
  resolver.close();
});

test('a CNAME that leads back to itself fails', async () => {
  using server = await nameServer((_, __, query) => {
    return reply(query, 0, [{ name: POINTER_TO_QUESTION, type: CNAME, data: POINTER_TO_QUESTION }]);
  });
  const resolver = resolverOf(server.address);
  expect(await resolver.resolve('loop.test')).toMatchObject({ ok: false });
  resolver.close();
});

test('NXDOMAIN, SERVFAIL, an empty answer and silence each fail with their code', async () => {
  using server = await nameServer((name, _, query) => {
    if (name === 'hang.test') return null;
    return reply(query, name === 'absent.test' ? 3 : name === 'fail.test' ? 2 : 0);
  });
  const codeOf = async (name: string, timeoutMs?: number) => {
    const resolver = resolverOf(server.address, timeoutMs);
    const resolution = await resolver.resolve(name);
    resolver.close();
    return resolution.ok ? null : resolution.code;
  };
  expect(await Promise.all([codeOf('absent.test'), codeOf('empty.test'), codeOf('hang.test', 400)])).toEqual([
    'ENOTFOUND',
    'ENODATA',
    'ETIMEOUT',
  ]);
  expect(['ESERVFAIL', 'ETIMEOUT']).toContain(await codeOf('fail.test', 400));
});

test('a hundred names that hang hold up no other, because no thread waits for them', async () => {
  using server = await nameServer((name, type, query) => {
    if (name.startsWith('hang')) return null;
    return reply(query, 0, type === A ? [{ name: POINTER_TO_QUESTION, type, data: Buffer.from([1, 1, 1, 1]) }] : []);
  });
  const resolver = resolverOf(server.address);
  let answered = 0;
  for (let i = 0; i < 100; i++) void resolver.resolve(`hang${i}.test`).then(() => answered++);
  expect(await resolver.resolve('live.test')).toEqual({ ok: true, addresses: ['1.1.1.1'] });
  expect(answered).toBe(0);
  resolver.close();
});
