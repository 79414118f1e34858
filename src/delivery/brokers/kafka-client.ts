import {
  type Broker,
  type Callback,
  type Connection,
  compatibilityPartitioner,
  kGetBootstrapConnection,
  kGetConnection,
  type MessageToProduce,
  ProduceAcks,
  type ProduceResult,
  Producer,
  type ProducerOptions,
} from '@platformatic/kafka';
import type { KafkaDestination } from '../../domain/destination.ts';
import { DeliveryFailure, unreachable } from '../classify.ts';
import type { KafkaMessage } from '../prepare.ts';
import { parseBrokerHost } from './broker-host.ts';
import { classifyKafka } from './classify-kafka.ts';
import { KafkaConnections, type KafkaGuard } from './kafka-connections.ts';
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

const NO_LEADER = 'LEADER_NOT_AVAILABLE: the partition has no leader';
const STALE = new Set(['NOT_LEADER_OR_FOLLOWER', 'LEADER_NOT_AVAILABLE', 'FENCED_LEADER_EPOCH']);
const TOO_LARGE = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);

/** Every connection that the client asks for comes from the guarded pool. Its own is closed from the start, and never opens a socket. */
class GuardedProducer extends Producer<Buffer, Buffer, Buffer, Buffer> {
  readonly #named: readonly Broker[];
  readonly #pool: KafkaConnections;

  constructor(options: ProducerOptions<Buffer, Buffer, Buffer, Buffer>, named: readonly Broker[], guard: KafkaGuard) {
    super(options);
    void this.connections.close();
    this.#named = named;
    this.#pool = new KafkaConnections(CLIENT_ID, { ...options, ownerId: this.instanceId }, guard);
  }

  override [kGetConnection](broker: Broker | undefined, callback: Callback<Connection>): void {
    if (broker?.host === undefined)
      callback(new DeliveryFailure(unreachable('refused', NO_LEADER)), undefined as never);
    else answer(this.#pool.get(broker), callback);
  }

  override [kGetBootstrapConnection](callback: Callback<Connection>): void {
    answer(this.#pool.getAny([...this.#named, ...(this.currentMetadata?.brokers.values() ?? [])]), callback);
  }

  destroy(): void {
    this.#pool.destroy();
    void this.close(true).catch(() => {});
  }
}

function answer(connecting: Promise<Connection>, callback: Callback<Connection>): void {
  void connecting.then(
    (connection) => callback(null, connection),
    (error: Error) => callback(error, undefined as never),
  );
}

/**
 * A producer to one cluster, through the guard. Acknowledged by all replicas in sync. Not idempotent in Kafka's sense: that holds within
 * one producer that repeats by itself, and what is repeated here is an attempt of its own, perhaps of another process.
 */
export class KafkaClient {
  readonly #producer: GuardedProducer;
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
      this.#producer.clearMetadata();
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
    const partitions = await this.#place(topic, shipments);
    if (partitions === null) return again;
    const { results, failure } = await this.#send(topic, partitions);
    for (const [partition, placed] of partitions) {
      const result = results.get(partition);
      if (!isLast && result?.kind === 'refused' && STALE.has(result.code)) again.stale.push(...placed);
      else if (!isLast && placed.length > 1 && result?.kind === 'refused' && TOO_LARGE.has(result.code))
        again.alone.push(...placed);
      else
        for (const [at, shipment] of placed.entries())
          shipment.end(reportOf(result, { topic, partition, at }, failure));
    }
    return again;
  }

  /** The shipments by partition; null when they have ended, because nothing could be learnt of the topic. */
  async #place(topic: string, shipments: readonly Shipped[]): Promise<Map<number, Shipped[]> | null> {
    let count: number;
    try {
      await this.#producer.metadata({ topics: [topic], metadataMaxAge: METADATA_MS });
      count = this.#partitionsOf(topic);
    } catch (error) {
      this.#producer.clearMetadata();
      const report = classifyKafka(error);
      for (const shipment of shipments) shipment.end(report);
      return null;
    }
    // Messages without a key go to one partition, and the next batch to another, so that there are few requests.
    const next = this.#spread++;
    return Map.groupBy(shipments, ({ message }) => (message.key === null ? next : partitionOf(message.key)) % count);
  }

  /** The metadata is the broker's: the client would fall over a partition that is missing or has no leader. */
  #partitionsOf(topic: string): number {
    const known = this.#producer.currentMetadata?.topics.get(topic);
    const isWhole =
      known !== undefined &&
      known.partitionsCount > 0 &&
      Array.from({ length: known.partitionsCount }, (_, at) => known.partitions[at]).every(
        (each) => each !== undefined,
      );
    if (!isWhole) throw new DeliveryFailure(unreachable('protocol', 'the metadata of the topic lacks partitions'));
    return known.partitionsCount;
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
      this.#producer.clearMetadata();
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
