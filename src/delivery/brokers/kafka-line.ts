import type { KafkaDestination } from '../../domain/destination.ts';
import { classify } from '../classify.ts';
import type { KafkaMessage } from '../prepare.ts';
import type { BrokerSenderOptions } from './broker-sender.ts';
import { createHostGuard } from './host-guard.ts';
import type { KafkaClient, KafkaClientOptions } from './kafka-client.ts';
import type { Line } from './line-pool.ts';
import type { Shipment } from './shipment.ts';

type Shipped = Shipment<KafkaMessage>;
type Client = Pick<KafkaClient, 'produce' | 'destroy'>;

/** Batches under way at once: while all are, what comes gathers, and goes out in fewer and larger ones. */
const MAX_BATCHES = 4;
/** Below what brokers take by default (1 MiB, for all messages of a partition in a request), so that no message suffers for its neighbours. */
const MAX_BATCH_BYTES = 512 * 1024;
const MAX_BATCH_MESSAGES = 1_000;
/** How long a batch may hold its place once nobody waits for its messages: longer than the client itself waits for an answer. */
const LOST_MS = 60_000;

/** The way to one Kafka cluster: messages of one turn of the event loop go out together, topic by topic. */
export class KafkaLine implements Line<KafkaMessage> {
  readonly #destination: KafkaDestination;
  readonly #options: BrokerSenderOptions;
  readonly #waiting = new Map<string, Set<Shipped>>();
  readonly #openClient: (options: KafkaClientOptions) => Promise<Client>;
  #client: Promise<Client> | null = null;
  #batches = 0;
  #isScheduled = false;
  /** When a broker last said anything, in ms of `performance.now()`. */
  #heardAt = 0;

  constructor(destination: KafkaDestination, options: BrokerSenderOptions, openClient = loadClient) {
    this.#destination = destination;
    this.#options = options;
    this.#openClient = openClient;
  }

  send(shipment: Shipped): void {
    const { topic } = shipment.message.destination;
    const queue = this.#waiting.get(topic);
    if (queue === undefined) this.#waiting.set(topic, new Set([shipment]));
    else queue.add(shipment);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#flush();
    });
  }

  /** Where nothing at all was heard since, the connections are cut: what was written to them would arrive after its time, or never. */
  late(shipment: Shipped): string {
    this.#forget(shipment);
    if (this.#heardAt >= shipment.startedAt) return 'no acknowledgement of the broker';
    this.close();
    return 'no answer of the broker';
  }

  close(): void {
    if (this.#client !== null) this.#drop(this.#client);
  }

  /** What waits while all places are taken must not stay for as long as they are. */
  #forget(shipment: Shipped): void {
    const { topic } = shipment.message.destination;
    const queue = this.#waiting.get(topic);
    queue?.delete(shipment);
    if (queue?.size === 0) this.#waiting.delete(topic);
  }

  /** Topic by topic in turn, so that one with much to send does not keep the places from the others. */
  #flush(): void {
    for (const [topic, queue] of this.#waiting) {
      if (this.#batches >= MAX_BATCHES) return;
      this.#waiting.delete(topic);
      const batch = takeBatch(queue);
      // At the end of the line, where this loop comes by again.
      if (queue.size > 0) this.#waiting.set(topic, queue);
      if (batch.length > 0) void this.#produce(topic, batch);
    }
  }

  async #produce(topic: string, batch: readonly Shipped[]): Promise<void> {
    const opening = this.#client ?? this.#open();
    this.#client = opening;
    const giveBack = this.#takePlace(batch, opening);
    try {
      const client = await opening;
      await client.produce(topic, batch);
    } catch (error) {
      for (const shipment of batch) shipment.end(classify(error));
    }
    giveBack();
  }

  /** A client that forgets whoever waits for it would hold the place for ever: when the time is long over it is closed. @returns what ends it */
  #takePlace(batch: readonly Shipped[], opening: Promise<Client>): () => void {
    this.#batches++;
    let isHeld = true;
    const giveBack = () => {
      clearTimeout(watch);
      if (!isHeld) return;
      isHeld = false;
      this.#batches--;
      this.#flush();
    };
    const longestMs = Math.max(...batch.map(({ message }) => message.timeoutMs));
    const watch = setTimeout(() => {
      this.#drop(opening);
      giveBack();
    }, longestMs + LOST_MS).unref();
    return giveBack;
  }

  #drop(opening: Promise<Client>): void {
    if (this.#client === opening) this.#client = null;
    opening.then(
      (client) => client.destroy(),
      // What could not be opened need not be closed; who waited for it was told.
      () => {},
    );
  }

  #open(): Promise<Client> {
    const destination = this.#destination;
    const { connectTimeoutMs = 5_000 } = this.#options;
    const onData = () => {
      this.#heardAt = performance.now();
    };
    const tls = destination.tls ? { ca: destination.ca } : null;
    const guard = { hosts: createHostGuard(this.#options, destination), tls, onData };
    const opening = this.#openClient({ destination, guard, connectTimeoutMs });
    // The next batch tries anew.
    opening.catch(() => this.#drop(opening));
    return opening;
  }
}

/** The library costs memory and time: a process that delivers nothing to Kafka never loads it. */
async function loadClient(options: KafkaClientOptions): Promise<Client> {
  const { KafkaClient } = await import('./kafka-client.ts');
  return new KafkaClient(options);
}

/** The first of a queue, as many as go out together; those whose time is over are dropped. */
function takeBatch(queue: Set<Shipped>): Shipped[] {
  const batch: Shipped[] = [];
  let bytes = 0;
  for (const shipment of queue) {
    const length = shipment.isOver ? 0 : shipment.message.body.length;
    if (batch.length >= MAX_BATCH_MESSAGES || (batch.length > 0 && bytes + length > MAX_BATCH_BYTES)) break;
    queue.delete(shipment);
    if (shipment.isOver) continue;
    batch.push(shipment);
    bytes += length;
  }
  return batch;
}
