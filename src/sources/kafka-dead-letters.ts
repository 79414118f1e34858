import type { GenericError, Producer } from '@platformatic/kafka';
import { cutKafka, guardKafka } from '../brokers/guard-kafka.ts';
import { guardReader } from '../brokers/guard-reader.ts';
import { kafkaClientOptions } from '../brokers/kafka-client-options.ts';
import type { KafkaSource } from '../config/source-schema.ts';
import type { NotTaken } from '../store/publish-rejected.ts';
import type { StoredRejection } from '../store/rejected-messages.ts';
import type { DeadLetterPublisher } from './dead-letter-publisher.ts';

const ALL_REPLICAS = -1;
const SEND_MS = 10_000;
/** A batch of Kafka may have a little more than 1 MB (`max.message.bytes`), and is refused as a whole. */
const BATCH_BYTES = 768 * 1024;
/** What key and headers of a message add at most, about. */
const OVERHEAD_BYTES = 24 * 1024;

/** Publishes rejected messages to the source's dead-letter topic: key, headers and body as they were, with headers that say why. */
export function createKafkaDeadLetters(source: KafkaSource, clientId: string): DeadLetterPublisher {
  const topic = source.on_rejected!.dead_letter_topic;
  let producer: Producer | null = null;
  return {
    publish: async (messages) => {
      producer ??= await open(source, clientId);
      const current = producer;
      // A broker that is silent holds up the other sources of this process no longer than this.
      const timer = setTimeout(() => cutKafka(current), SEND_MS);
      const send = async (batch: readonly StoredRejection[]) => {
        const records = batch.map((message) => recordOf(message, topic, source.name));
        await current.send({ messages: records, acks: ALL_REPLICAS }).finally(() => timer.refresh());
      };
      const notTaken = new Map<string, string>();
      try {
        for (const batch of batchesOf(messages)) addAll(notTaken, await sendApart(batch, send));
        return notTaken;
      } catch (error) {
        // The next attempt begins with new connections.
        cutKafka(current);
        producer = null;
        throw error;
      } finally {
        clearTimeout(timer);
      }
    },
    close: async () => {
      await producer?.close().catch(() => {});
    },
  };
}

/** Errors that a broker has for what a record is: another one may well pass. */
const OF_THE_RECORD = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD', 'INVALID_TIMESTAMP'];

/** All at once, or, where the broker refuses a record, each alone: a batch is refused as a whole. */
async function sendApart(
  batch: readonly StoredRejection[],
  send: (some: readonly StoredRejection[]) => Promise<void>,
): Promise<NotTaken> {
  try {
    await send(batch);
    return new Map();
  } catch (error) {
    // Of other errors than the client's own there is nothing to find.
    const { findBy } = error as Partial<GenericError>;
    const code = OF_THE_RECORD.find((each) => findBy?.call(error as GenericError, 'apiId', each) != null);
    if (code === undefined) throw error;
    if (batch.length === 1) return new Map([[batch[0]!.id, code]]);
    const notTaken = new Map<string, string>();
    for (const message of batch) addAll(notTaken, await sendApart([message], send));
    return notTaken;
  }
}

function addAll(all: Map<string, string>, some: NotTaken): void {
  for (const [id, why] of some) all.set(id, why);
}

/** In their order, none larger than `BATCH_BYTES` by its bodies, unless one message is. */
function batchesOf(messages: readonly StoredRejection[]): readonly (readonly StoredRejection[])[] {
  const batches: StoredRejection[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const message of messages) {
    bytes += message.body.length + OVERHEAD_BYTES;
    if (bytes > BATCH_BYTES) {
      batches.push([]);
      bytes = message.body.length + OVERHEAD_BYTES;
    }
    batches.at(-1)!.push(message);
  }
  return batches;
}

async function open(source: KafkaSource, clientId: string): Promise<Producer> {
  const { Producer, Reader } = await import('@platformatic/kafka');
  guardReader(Reader);
  const producer = new Producer({ ...kafkaClientOptions(source.connection, clientId), acks: ALL_REPLICAS });
  guardKafka(producer);
  return producer;
}

function recordOf(message: StoredRejection, topic: string, source: string) {
  const { id, position, reason, detail, truncated } = message;
  const said = { id, source, position, reason, detail, truncated: String(truncated) };
  const headers = new Map(message.headers.map(([name, value]) => [Buffer.from(name), Buffer.from(value, 'base64')]));
  for (const [name, value] of Object.entries(said))
    headers.set(Buffer.from(`posthorn-rejected-${name}`), Buffer.from(value));
  return {
    topic,
    ...(message.key === null ? {} : { key: Buffer.from(message.key) }),
    value: Buffer.from(message.body),
    headers,
  };
}
