import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { sourceInput } from '../config/source-schema.ts';
import { openTransport } from './open-transport.ts';

const TYPES = ['kafka', 'rabbitmq'] as const;
const closing: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  vi.useRealTimers();
  for (const close of closing.splice(0)) await close();
});

/** A source whose broker is no broker: its peer does with each connection as told. */
async function sourceOf(type: (typeof TYPES)[number], behave: (socket: Socket) => void) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => {}));
    behave(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const at = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const common = { type, name: 'orders', mapping: { format: 'envelope' } };
  const sasl = { mechanism: 'SCRAM-SHA-256', username: 'me', password: 'hunter22' };
  const own =
    type === 'kafka'
      ? {
          connection: { brokers: [at], sasl },
          consume: { topics: ['orders'], group: 'g' },
          on_rejected: { dead_letter_topic: 'dead' },
        }
      : {
          connection: { hosts: [at], username: 'me', password: 'hunter22' },
          consume: { queue: { name: 'orders' } },
          on_rejected: { dead_letter_exchange: 'dead' },
        };
  const { consumer, deadLetters } = openTransport(sourceInput.parse({ ...common, ...own }), {
    clientId: 'posthorn',
    intake: async () => {},
    recallStarts: (_, look) => look(),
    onOutOfRange: () => {},
    onStartDeleted: () => {},
    onHolding: () => {},
    maxEventBytes: 1024,
    onFailure: () => {},
  });
  closing.push(() => deadLetters?.close());
  const abort = new AbortController();
  const begin = () => consumer.run(abort.signal);
  return { consumer, deadLetters: deadLetters!, begin, end: () => abort.abort(), sockets };
}

const answering = (answer: () => string | Uint8Array) => (socket: Socket) =>
  void socket.on('data', () => socket.write(answer()));

const HTTP = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n';

test.each(TYPES)('%s: a server of another protocol makes a source fail, and the process lives on', async (type) => {
  const source = await sourceOf(
    type,
    answering(() => HTTP),
  );
  const ran = source.begin();
  await expect.poll(() => source.consumer.state().kind, { timeout: 20_000 }).toBe('failing');
  expect(source.consumer.state().error).not.toContain('hunter22');
  source.end();
  await ran;
});

test.each(TYPES)(
  '%s: dead letters do not reach a server of another protocol, and the process lives on',
  async (type) => {
    const { deadLetters } = await sourceOf(
      type,
      answering(() => HTTP),
    );
    const letter = {
      ...{ id: '0', identity: '0', position: 'p', group: 'g', reason: 'r', detail: 'd', faults: [], attributes: {} },
      ...{ headers: [], key: null, body: Buffer.from('x'), bodyBytes: 1, truncated: false, messageAt: null },
      ...{ rejectedAt: new Date(0), attempts: 1, retryRequested: false, publishError: null },
    };
    await expect(deadLetters.publish([letter])).rejects.toThrow();
    await expect(deadLetters.publish([letter])).rejects.toThrow();
  },
);

test.each(TYPES)('%s: random bytes in place of answers never end the process', async (type) => {
  const source = await sourceOf(
    type,
    answering(() => {
      const bytes = Buffer.from(Array.from({ length: 64 }, () => Math.floor(Math.random() * 256)));
      if (type === 'kafka') bytes.writeInt32BE(60, 0);
      return bytes;
    }),
  );
  const ran = source.begin();
  await expect.poll(() => source.sockets.length, { timeout: 30_000 }).toBeGreaterThan(4);
  source.end();
  await ran;
});

test.each(TYPES)('%s: a peer that says nothing does not keep a source from ending', async (type) => {
  const source = await sourceOf(type, (socket) => void socket.resume());
  // What would end by itself, after the time that a connection may take, does not.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const ran = source.begin();
  await expect.poll(() => source.sockets.length, { timeout: 10_000 }).toBeGreaterThan(0);
  source.end();
  await vi.advanceTimersByTimeAsync(4_000);
  await ran;
});
