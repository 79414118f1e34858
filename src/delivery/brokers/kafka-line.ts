import type { KafkaDestination } from '../../domain/destination.ts';
import { classify } from '../classify.ts';
import type { KafkaMessage } from '../prepare.ts';
import type { BrokerSenderOptions } from './broker-sender.ts';
import { createHostGuard } from './host-guard.ts';
import type { KafkaClient } from './kafka-client.ts';
import type { Line } from './line-pool.ts';
import type { Shipment } from './shipment.ts';

type Shipped = Shipment<KafkaMessage>;

/** Batches under way at once: while all are, what comes gathers, and goes out in fewer and larger ones. */
const MAX_BATCHES = 4;
/** Below what brokers take by default (1 MiB, for all messages of a partition in a request), so that no message suffers for its neighbours. */
const MAX_BATCH_BYTES = 512 * 1024;
const MAX_BATCH_MESSAGES = 1_000;

/** The way to one Kafka cluster: messages of one turn of the event loop go out together, topic by topic. */
export class KafkaLine implements Line<KafkaMessage> {
  readonly #destination: KafkaDestination;
  readonly #options: BrokerSenderOptions;
  readonly #waiting = new Map<string, Shipped[]>();
  #client: Promise<KafkaClient> | null = null;
  #batches = 0;
  #isScheduled = false;
  /** When a broker last said anything, in ms of `performance.now()`. */
  #heardAt = 0;

  constructor(destination: KafkaDestination, options: BrokerSenderOptions) {
    this.#destination = destination;
    this.#options = options;
  }

  send(shipment: Shipped): void {
    const { topic } = shipment.message.destination;
    const queue = this.#waiting.get(topic);
    if (queue === undefined) this.#waiting.set(topic, [shipment]);
    else queue.push(shipment);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#flush();
    });
  }

  /** Where nothing at all was heard since, the connections are cut: what was written to them would arrive after its time, or never. */
  late(shipment: Shipped): string {
    if (this.#heardAt >= shipment.startedAt) return 'no acknowledgement of the broker';
    this.close();
    return 'no answer of the broker';
  }

  close(): void {
    const client = this.#client;
    this.#client = null;
    void client?.then((each) => each.destroy());
  }

  #flush(): void {
    for (const [topic, queue] of this.#waiting) {
      if (this.#batches >= MAX_BATCHES) return;
      const batch = takeBatch(queue);
      if (queue.length === 0) this.#waiting.delete(topic);
      if (batch.length > 0) void this.#produce(topic, batch);
      if (queue.length > 0) this.#flush();
    }
  }

  async #produce(topic: string, batch: readonly Shipped[]): Promise<void> {
    this.#batches++;
    try {
      this.#client ??= this.#open();
      const client = await this.#client;
      await client.produce(topic, batch);
    } catch (error) {
      for (const shipment of batch) shipment.end(classify(error));
    }
    this.#batches--;
    this.#flush();
  }

  async #open(): Promise<KafkaClient> {
    // The library costs memory and time: a process that delivers nothing to Kafka never loads it.
    const { KafkaClient } = await import('./kafka-client.ts');
    const destination = this.#destination;
    const { connectTimeoutMs = 5_000 } = this.#options;
    const onData = () => {
      this.#heardAt = performance.now();
    };
    const tls = destination.tls ? { ca: destination.ca } : null;
    const guard = { hosts: createHostGuard(this.#options, destination), tls, onData };
    return new KafkaClient({ destination, guard, connectTimeoutMs });
  }
}

/** The first of a queue, as many as go out together; those whose time is over are dropped. */
function takeBatch(queue: Shipped[]): Shipped[] {
  const batch: Shipped[] = [];
  let bytes = 0;
  let taken = 0;
  for (const shipment of queue) {
    const { length } = shipment.message.body;
    if (batch.length >= MAX_BATCH_MESSAGES || (batch.length > 0 && bytes + length > MAX_BATCH_BYTES)) break;
    taken++;
    if (shipment.isOver) continue;
    batch.push(shipment);
    bytes += length;
  }
  queue.splice(0, taken);
  return batch;
}
