import {
  type API,
  type Broker,
  type Callback,
  type CallbackWithPromise,
  type ClusterMetadata,
  type ClusterTopicMetadata,
  type Connection,
  kGetApi,
  kGetBootstrapConnection,
  kGetConnection,
  kListApis,
  kMetadata,
  type MetadataOptions,
  Producer,
  type ProducerOptions,
} from '@platformatic/kafka';
import { DeliveryFailure, unreachable } from '../classify.ts';
import { KafkaConnections, type KafkaGuard } from './kafka-connections.ts';
import { onlyAsked } from './only-asked.ts';

type Apis = Awaited<ReturnType<Producer['listApis']>>;

const LACKING = 'the metadata of the topic lacks partitions';
const TOO_MANY_APIS = 'the broker names more parts of the protocol than there are';
/** Kafka has some 90, and the client keeps what it is told of each. */
const MAX_APIS = 1_000;
const NO_LEADER = 'LEADER_NOT_AVAILABLE: the partition has no leader';

/** Every connection that the client asks for comes from the guarded pool. Its own is closed from the start, and never opens a socket. */
export class GuardedProducer extends Producer<Buffer, Buffer, Buffer, Buffer> {
  readonly #named: readonly Broker[];
  readonly #pool: KafkaConnections;

  constructor(options: ProducerOptions<Buffer, Buffer, Buffer, Buffer>, named: readonly Broker[], guard: KafkaGuard) {
    super(options);
    void this.connections.close();
    this.#named = named;
    this.#pool = new KafkaConnections(options.clientId, { ...options, ownerId: this.instanceId }, guard);
  }

  override [kGetConnection](broker: Broker | undefined, callback: Callback<Connection>): void {
    if (broker?.host === undefined)
      callback(new DeliveryFailure(unreachable('refused', NO_LEADER)), undefined as never);
    else answer(this.#pool.get(broker), callback);
  }

  override [kGetBootstrapConnection](callback: Callback<Connection>): void {
    answer(this.#pool.getAny([...this.#named, ...(this.currentMetadata?.brokers.values() ?? [])]), callback);
  }

  override [kListApis](callback: CallbackWithPromise<Apis>): void {
    super[kListApis]((error, apis) => {
      const isUsable = Boolean(error) || apis!.length <= MAX_APIS;
      callback(isUsable ? error : new DeliveryFailure(unreachable('protocol', TOO_MANY_APIS)), apis!);
    });
  }

  override [kGetApi]<RequestArguments extends unknown[], ResponseType>(
    name: string,
    callback: Callback<API<RequestArguments, ResponseType>>,
  ): void {
    super[kGetApi]<RequestArguments, ResponseType>(name, (error, api) => {
      callback(error, (api && name === 'Metadata' ? onlyAsked(api) : api)!);
    });
  }

  /** The metadata is the broker's: the client would fall over a partition that is missing, and whoever waits for it would not be told. */
  override [kMetadata](options: MetadataOptions, callback: CallbackWithPromise<ClusterMetadata>): void {
    super[kMetadata](options, (error, metadata) => {
      const isUsable = Boolean(error) || [...metadata!.topics.values()].every(isWhole);
      callback(isUsable ? error : new DeliveryFailure(unreachable('protocol', LACKING)), metadata as ClusterMetadata);
    });
  }

  /** Nothing: messages under way to other topics rely on what is known. What is to be learnt anew is asked for topic by topic. */
  override clearMetadata(): void {}

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

function isWhole(topic: ClusterTopicMetadata | undefined): boolean {
  if (topic === undefined || topic.partitionsCount === 0) return false;
  return Array.from({ length: topic.partitionsCount }, (_, at) => topic.partitions[at]).every(
    (each) => each !== undefined,
  );
}
