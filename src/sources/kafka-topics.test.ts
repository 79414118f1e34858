import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Writer } from '@platformatic/kafka';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { type KafkaSource, sourceInput } from '../config/source-schema.ts';
import { TopicFinder } from './kafka-topics.ts';
import { TopicAdmin } from './topic-admin.ts';

const closing: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

interface Topic {
  readonly error?: number;
  readonly id?: string;
  /** Error codes of its partitions. */
  readonly partitions: readonly number[];
}

const METADATA = 3;
const API_VERSIONS = 18;
const LEADER_NOT_AVAILABLE = 5;
const UNKNOWN_TOPIC = 3;
const AUTHORIZATION_FAILED = 29;

/** As much of a Kafka as somebody meets who asks for its topics. */
async function clusterOf(topics: Readonly<Record<string, Topic>>): Promise<string> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => {}));
    readRequests(socket, (api, request) => (api === API_VERSIONS ? versions() : metadata(topics, namesIn(request))));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function readRequests(socket: Socket, answer: (api: number, request: Buffer) => Writer): void {
  let bytes: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
      const request = bytes.subarray(4, 4 + bytes.readInt32BE(0));
      bytes = bytes.subarray(4 + request.length);
      const api = request.readInt16BE(0);
      const { buffer } = answer(api, request);
      const tags = api === API_VERSIONS ? 0 : 1;
      const head = Buffer.alloc(8 + tags);
      head.writeInt32BE(4 + tags + buffer.length, 0);
      head.writeInt32BE(request.readInt32BE(4), 4);
      socket.write(Buffer.concat([head, buffer]));
    }
  });
}

/** Those that are asked for by name; null: all. Names of these tests are shorter than 100 bytes. */
function namesIn(request: Buffer): readonly string[] | null {
  let at = 8 + 2 + request.readInt16BE(8) + 1;
  const count = request[at++]! - 1;
  if (count < 0) return null;
  return Array.from({ length: count }, () => {
    at += 16;
    const length = request[at++]! - 1;
    const name = request.toString('utf8', at, at + length);
    at += length + 1;
    return name;
  });
}

function versions(): Writer {
  const apis = [
    [METADATA, 12],
    [API_VERSIONS, 3],
  ] as const;
  return Writer.create()
    .appendInt16(0)
    .appendArray([...apis], (w, [api, version]) => w.appendInt16(api).appendInt16(version).appendInt16(version))
    .appendInt32(0)
    .appendTaggedFields();
}

/** Of what is not there it says so. */
function metadata(topics: Readonly<Record<string, Topic>>, names: readonly string[] | null): Writer {
  return Writer.create()
    .appendInt32(0)
    .appendArray([], () => {})
    .appendString('cluster')
    .appendInt32(1)
    .appendArray([...(names ?? Object.keys(topics))], (writer, name) => {
      const { error = 0, id = ID, partitions } = topics[name] ?? { error: UNKNOWN_TOPIC, partitions: [] };
      writer.appendInt16(error).appendString(name).appendUUID(id).appendBoolean(false);
      writer.appendArray([...partitions], (w, code, index) => {
        w.appendInt16(code)
          .appendInt32(index)
          .appendInt32(code === 0 ? 1 : -1)
          .appendInt32(0);
        for (const _of of ['replicas', 'in sync', 'offline']) w.appendArray([], () => {});
      });
      writer.appendInt32(0);
    })
    .appendTaggedFields();
}

const ID = '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0';

async function finderOf(topics: Readonly<Record<string, Topic>>, consumed = ['orders']): Promise<TopicFinder> {
  const source = sourceInput.parse({
    type: 'kafka',
    name: 'orders',
    connection: { brokers: [await clusterOf(topics)] },
    consume: { topics: consumed, group: 'g' },
    mapping: { format: 'envelope' },
  }) as KafkaSource;
  const finder = new TopicFinder(source, 'posthorn', () => {});
  closing.push(() => finder.close());
  return finder;
}

const sound = { partitions: [0, 0] };

test("a partition of somebody else's topic that has no leader does not keep a source from its own", async () => {
  const finder = await finderOf({ orders: sound, others: { partitions: [0, LEADER_NOT_AVAILABLE] } });
  expect(await finder.find()).toEqual(new Map([['orders', { id: ID, partitions: 2 }]]));
});

test("a partition of a source's own topic that has no leader is said", async () => {
  const finder = await finderOf({ orders: { partitions: [0, LEADER_NOT_AVAILABLE] } });
  await expect(finder.find()).rejects.toThrow();
});

test('a topic that cannot be told of makes the list of all of them none', async () => {
  const others = { error: AUTHORIZATION_FAILED, partitions: [LEADER_NOT_AVAILABLE] };
  const finder = await finderOf({ orders: sound, others });
  await expect(finder.find()).rejects.toThrow('Listing topics failed.');
});

const NEEDS = 'sources need Kafka 3.5 or newer';

test('a cluster whose topics have no ids of their own is refused: messages of one could not be told from those of another', async () => {
  const none = '00000000-0000-0000-0000-000000000000';
  await expect((await finderOf({ orders: { ...sound, id: none } })).find()).rejects.toThrow(NEEDS);
  const both = await finderOf({ orders: sound, bills: sound }, ['orders', 'bills']);
  await expect(both.find()).rejects.toThrow(NEEDS);
  const other = '1f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0';
  const apart = await finderOf({ orders: sound, bills: { ...sound, id: other } }, ['orders', 'bills']);
  expect((await apart.find()).size).toBe(2);
});

test('a cluster that is so old that the client takes names for ids is refused', async () => {
  const finder = await finderOf({ orders: sound });
  const metadata = vi.spyOn(TopicAdmin.prototype, 'metadata');
  onTestFinished(() => metadata.mockRestore());
  metadata.mockResolvedValue({ topics: new Map([['orders', { id: 'orders', partitionsCount: 1 }]]) } as never);
  await expect(finder.find()).rejects.toThrow(NEEDS);
});
