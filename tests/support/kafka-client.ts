import { randomBytes } from 'node:crypto';
import { Admin, Producer } from '@platformatic/kafka';

/** What a test does at a Kafka from outside of what it tests. */
export interface KafkaClient {
  createTopic(topic: string, partitions: number, settings?: Readonly<Record<string, string>>): Promise<void>;
  /** Until the topic has as many. */
  addPartitions(topic: string, partitions: number): Promise<void>;
  deleteTopic(topic: string): Promise<void>;
  send(messages: readonly KafkaRecord[], compression?: 'gzip' | 'zstd' | 'lz4' | 'snappy'): Promise<void>;
  /** Sends each message in a request of its own, all in one transaction, and keeps or takes back what was sent. */
  transact(end: 'commit' | 'abort', messages: readonly KafkaRecord[]): Promise<void>;
  /** What the group has committed, by `topic/partition`. */
  committed(group: string): Promise<ReadonlyMap<string, number>>;
  /** Sets what the group has committed, by partition; it must have no members. */
  moveGroup(group: string, topic: string, offsets: readonly number[]): Promise<void>;
  /** Deletes what a partition has before the offset, as retention does. */
  deleteBefore(topic: string, partition: number, offset: number): Promise<void>;
  /** Resolves when the broker answers. @throws Error when it does not */
  ask(): Promise<void>;
  /** Ends the connections of producers, before a broker that is killed does; the next `send` has others. */
  disconnect(): Promise<void>;
  close(): Promise<void>;
}

export interface KafkaRecord {
  readonly topic: string;
  readonly partition?: number;
  readonly key?: string;
  readonly value: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** @param broker `127.0.0.1:port`, in clear text */
export function connectKafka(broker: string): KafkaClient {
  const options = { clientId: 'posthorn-tests', bootstrapBrokers: [broker], retries: 5, retryDelay: 200 };
  // One id for all transactions of this client, so that the broker knows them as one producer, and as nobody else.
  const transactionalId = `posthorn-tests-${randomBytes(6).toString('hex')}`;
  const admin = new Admin(options);
  let producer: Producer | undefined;
  let transactional: Producer | undefined;
  // A topic is made at once, and has its leaders a little later. Idempotent: a request that is sent again, as after a restart, must not bring its messages twice.
  const produce = (more: object = {}) => new Producer({ ...options, retries: 50, acks: -1, idempotent: true, ...more });
  const disconnect = async () => {
    const [first, second] = [producer, transactional];
    producer = transactional = undefined;
    await Promise.all([first?.close(true), second?.close(true)].map((closing) => closing?.catch(() => {})));
  };
  return {
    createTopic: async (topic, partitions, settings = {}) => {
      const configs = Object.entries(settings).map(([name, value]) => ({ name, value }));
      await admin.createTopics({ topics: [topic], partitions, replicas: 1, configs });
    },
    addPartitions: async (topic, partitions) => {
      await admin.createPartitions({ topics: [{ name: topic, count: partitions }] });
      // What the producer knows of the topic is as old as its last look.
      producer?.clearMetadata();
    },
    deleteTopic: async (topic) => {
      await admin.deleteTopics({ topics: [topic] });
    },
    send: async (messages, compression) => {
      producer ??= produce();
      await producer.send({ messages: messages.map(toMessage), acks: -1, ...(compression && { compression }) });
    },
    transact: async (end, messages) => {
      transactional ??= produce({ transactionalId });
      const transaction = await transactional.beginTransaction();
      for (const message of messages) await transaction.send({ messages: [toMessage(message)], acks: -1 });
      await transaction[end]();
    },
    committed: (group) => committedOf(admin, group),
    moveGroup: async (group, topic, offsets) => {
      const partitionOffsets = offsets.map((offset, partition) => ({ partition, offset: BigInt(offset) }));
      await admin.alterConsumerGroupOffsets({ groupId: group, topics: [{ name: topic, partitionOffsets }] });
    },
    deleteBefore: async (topic, partition, offset) => {
      await admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition, offset: BigInt(offset) }] }] });
    },
    ask: async () => void (await admin.listTopics()),
    disconnect,
    close: async () => {
      await Promise.all([admin.close().catch(() => {}), disconnect()]);
    },
  };
}

function toMessage({ topic, partition, key, value, headers }: KafkaRecord) {
  return {
    topic,
    ...(partition === undefined ? {} : { partition }),
    ...(key === undefined ? {} : { key: Buffer.from(key) }),
    value: Buffer.from(value),
    headers: new Map(Object.entries(headers ?? {}).map(([name, text]) => [Buffer.from(name), Buffer.from(text)])),
  };
}

async function committedOf(admin: Admin, group: string): Promise<ReadonlyMap<string, number>> {
  const [offsets] = await admin.listConsumerGroupOffsets({ groups: [group] });
  return new Map(
    (offsets?.topics ?? []).flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, committedOffset }) => [`${name}/${partitionIndex}`, Number(committedOffset)]),
    ),
  );
}
