import { compatibilityPartitioner, type MessageToProduce, ProduceAcks, type ProduceResult } from '@platformatic/kafka';
import type { KafkaDestination } from '../../domain/destination.ts';
import { unreachable } from '../classify.ts';
import type { KafkaMessage } from '../prepare.ts';
import { parseBrokerHost } from './broker-host.ts';
import { classifyKafka } from './classify-kafka.ts';
import { GuardedProducer } from './guarded-producer.ts';
import type { KafkaGuard } from './kafka-connections.ts';
import { saslOptions } from './kafka-login.ts';
import { type PartitionResult, partitionResults } from './kafka-results.ts';
import type { BrokerReport, Shipment } from './shipment.ts';

export interface KafkaClientOptions {
  readonly destination: KafkaDestination;
  readonly guard: KafkaGuard;
  readonly connectTimeoutMs: number;
}

type Shipped = Shipment<KafkaMessage>;

const CLIENT_ID = 'posthorn';
/** How old what is known of a topic's partitions may be. */
const METADATA_MS = 60_000;
/** How long a broker waits for its replicas. */
const REPLICATION_MS = 10_000;
const REQUEST_MS = 30_000;
/** How long an election of a partition's leader may take before the one repetition. */
const ELECTION_MS = 250;

const STALE = new Set(['NOT_LEADER_OR_FOLLOWER', 'LEADER_NOT_AVAILABLE', 'FENCED_LEADER_EPOCH']);
const UNKNOWN = 'UNKNOWN_TOPIC_OR_PARTITION';
const TOO_LARGE = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);

/**
 * A producer to one cluster, through the guard. Acknowledged by all replicas in sync. Not idempotent in Kafka's sense: that holds within
 * one producer that repeats by itself, and what is repeated here is an attempt of its own, perhaps of another process.
 */
export class KafkaClient {
  readonly #producer: GuardedProducer;
  /** Topics of which what is known may be wrong. */
  readonly #stale = new Set<string>();
  #spread = Math.floor(Math.random() * 1_000);

  constructor({ destination, guard, connectTimeoutMs }: KafkaClientOptions) {
    const { sasl } = destination;
    const brokers = destination.brokers.map((text) => {
      const { hostname: host, port } = parseBrokerHost(text);
      return { host, port };
    });
    const options = {
      clientId: CLIENT_ID,
      bootstrapBrokers: brokers,
      connectTimeout: connectTimeoutMs,
      requestTimeout: REQUEST_MS,
      timeout: REPLICATION_MS,
      // The delivery's own schedule repeats. The client would do it with the whole batch, what was stored included.
      retries: 0,
      repeatOnStaleMetadata: false,
      // Asked for before each batch, so that it never grows old between a look at it and its use.
      metadataMaxAge: 10 * METADATA_MS,
      autocreateTopics: false,
      ...(sasl === null ? {} : { sasl: saslOptions(sasl) }),
    };
    this.#producer = new GuardedProducer(options, brokers, guard);
  }

  /** Sends messages for one topic, and ends the shipment of each. */
  async produce(topic: string, shipments: readonly Shipped[]): Promise<void> {
    const again = await this.#try(topic, shipments);
    if (again.stale.length > 0) {
      await new Promise((resolve) => setTimeout(resolve, ELECTION_MS));
    }
    const late = [...again.stale, ...again.alone].filter((shipment) => !shipment.isOver);
    // One at a time where it is the sum of them that was too large.
    const batches = again.alone.length > 0 ? late.map((shipment) => [shipment]) : [late];
    for (const batch of batches) if (batch.length > 0) await this.#try(topic, batch, true);
  }

  destroy(): void {
    this.#producer.destroy();
  }

  async #try(topic: string, shipments: readonly Shipped[], isLast = false) {
    const again: { stale: Shipped[]; alone: Shipped[] } = { stale: [], alone: [] };
    const count = await this.#partitionsOf(topic, shipments);
    // The time of some may have passed meanwhile.
    const partitions = this.#place(
      shipments.filter(({ isOver }) => !isOver),
      count,
    );
    if (partitions.size === 0) return again;
    const { results, failure } = await this.#send(topic, partitions);
    for (const [partition, placed] of partitions) {
      const result = results.get(partition);
      if (result?.kind === 'refused' && (STALE.has(result.code) || result.code === UNKNOWN)) this.#stale.add(topic);
      if (!isLast && result?.kind === 'refused' && STALE.has(result.code)) again.stale.push(...placed);
      else if (!isLast && placed.length > 1 && result?.kind === 'refused' && TOO_LARGE.has(result.code))
        again.alone.push(...placed);
      else
        for (const [at, shipment] of placed.entries())
          shipment.end(reportOf(result, { topic, partition, at }, failure));
    }
    return again;
  }

  /** How many the topic has; where that cannot be learnt, 0, and the shipments have ended. */
  async #partitionsOf(topic: string, shipments: readonly Shipped[]): Promise<number> {
    const forceUpdate = this.#stale.delete(topic);
    try {
      const known = await this.#producer.metadata({ topics: [topic], metadataMaxAge: METADATA_MS, forceUpdate });
      return known.topics.get(topic)!.partitionsCount;
    } catch (error) {
      this.#stale.add(topic);
      const report = classifyKafka(error);
      for (const shipment of shipments) shipment.end(report);
      return 0;
    }
  }

  /** The shipments by partition. */
  #place(shipments: readonly Shipped[], count: number): Map<number, Shipped[]> {
    // Messages without a key go to one partition, and the next batch to another, so that there are few requests.
    const next = this.#spread++;
    return Map.groupBy(shipments, ({ message }) => (message.key === null ? next : partitionOf(message.key)) % count);
  }

  async #send(topic: string, partitions: ReadonlyMap<number, readonly Shipped[]>) {
    const messages = [...partitions].flatMap(([partition, shipments]) =>
      shipments.map(({ message }) => recordOf(message, topic, partition)),
    );
    const failure: BrokerReport = unreachable('protocol', 'the broker did not answer for this partition');
    try {
      const options = { messages, acks: ProduceAcks.ALL, autocreateTopics: false };
      return { results: storedAt(await this.#producer.send(options)), failure };
    } catch (error) {
      const results = partitionResults(error);
      if (results.size === partitions.size) return { results, failure };
      // A broker that was not reached may have given its partitions to another.
      this.#stale.add(topic);
      return { results, failure: classifyKafka(error) };
    }
  }
}

/** As producers in Java place keys, so that one key has one partition whoever sends. */
function partitionOf(key: string): number {
  return compatibilityPartitioner({} as never, Buffer.from(key));
}

function recordOf(
  { key, headers: flat, body }: KafkaMessage,
  topic: string,
  partition: number,
): MessageToProduce<Buffer, Buffer, Buffer, Buffer> {
  const headers = new Map<Buffer, Buffer>();
  for (let i = 0; i < flat.length; i += 2) headers.set(Buffer.from(flat[i]!), Buffer.from(flat[i + 1]!));
  const value = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return { topic, partition, value, headers, ...(key === null ? {} : { key: Buffer.from(key) }) };
}

function storedAt({ offsets = [] }: ProduceResult): Map<number, PartitionResult> {
  return new Map(offsets.map(({ partition, offset }) => [partition, { kind: 'stored', offset }]));
}

/** @param at of the message among those for its partition */
function reportOf(
  result: PartitionResult | undefined,
  { topic, partition, at }: { readonly topic: string; readonly partition: number; readonly at: number },
  failure: BrokerReport,
): BrokerReport {
  if (result === undefined) return failure;
  if (result.kind === 'refused') return result.report;
  const offset = String(result.offset + BigInt(at));
  return { kind: 'delivered', receipt: { topic, partition: String(partition), offset } };
}
