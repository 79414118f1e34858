import type { RabbitmqDestination } from '../../domain/destination.ts';
import type { RabbitmqMessage } from '../prepare.ts';
import type { BrokerSenderOptions } from './broker-sender.ts';
import { classifyRabbitmq } from './classify-rabbitmq.ts';
import { createHostGuard } from './host-guard.ts';
import type { Line } from './line-pool.ts';
import type { RabbitmqChannel } from './rabbitmq-channel.ts';
import type { RabbitmqLink } from './rabbitmq-link.ts';
import type { Shipment } from './shipment.ts';

type Shipped = Shipment<RabbitmqMessage>;

/** A connection, or the attempt to make one. */
interface Opening {
  readonly link: Promise<RabbitmqLink>;
  /** Gives it up while it is being made. */
  readonly giveUp: AbortController;
}

/**
 * Messages that nobody waits for any more, and that the broker neither takes nor refuses, on one connection: the client remembers each, and holds
 * those that could not be written yet. A broker that has so many owes more than it will ever pay.
 */
const MAX_LEFT = 1_000;
/** The same, in bytes of their bodies. */
const MAX_LEFT_BYTES = 8 * 1024 * 1024;

/** The way to one RabbitMQ as one user: one connection, made when there is something to send. */
export class RabbitmqLine implements Line<RabbitmqMessage> {
  readonly #destination: RabbitmqDestination;
  readonly #options: BrokerSenderOptions;
  #opening: Opening | null = null;
  #blocked: () => string | null = () => null;
  /** When the broker last took or refused a message, in ms of `performance.now()`. */
  #answeredAt = 0;
  /** What was late on this connection and is not answered yet, with the bytes of each. */
  readonly #left = new Map<Shipped, number>();
  #leftBytes = 0;

  constructor(destination: RabbitmqDestination, options: BrokerSenderOptions) {
    this.#destination = destination;
    this.#options = options;
  }

  send(shipment: Shipped): void {
    void this.#send(shipment);
  }

  /**
   * Where no message was answered since, the connection is cut: what was written to it would arrive after its time, or never. So it is where
   * too many were left without an answer, though others get one.
   */
  late(shipment: Shipped): string {
    const reason = this.#blocked();
    this.#leave(shipment);
    const isTooMuch = this.#left.size > MAX_LEFT || this.#leftBytes > MAX_LEFT_BYTES;
    if (isTooMuch || this.#answeredAt < shipment.startedAt) this.close();
    return reason === null ? 'no confirm of the broker' : `the broker takes no messages (${reason}): no confirm`;
  }

  close(): void {
    if (this.#opening !== null) this.#drop(this.#opening);
  }

  async #send(shipment: Shipped): Promise<void> {
    this.#opening ??= this.#open();
    const opening = this.#opening;
    try {
      const link = await opening.link;
      if (shipment.isOver) return;
      await link.withChannel(exchangeOf(shipment), (channel) => publish(shipment, channel));
    } catch (error) {
      // Of no use any more. What is under way on it ends as unreachable.
      this.#drop(opening);
      shipment.end(classifyRabbitmq(error));
    } finally {
      this.#leftBytes -= this.#left.get(shipment) ?? 0;
      this.#left.delete(shipment);
    }
  }

  #leave(shipment: Shipped): void {
    const { length } = shipment.message.body;
    this.#left.set(shipment, length);
    this.#leftBytes += length;
  }

  /** Never without closing it: a link that nobody knows would stay open for ever. */
  #drop(opening: Opening): void {
    if (this.#opening !== opening) return;
    this.#opening = null;
    this.#blocked = () => null;
    this.#left.clear();
    this.#leftBytes = 0;
    opening.giveUp.abort();
    void opening.link.then(
      (link) => link.close(),
      () => {},
    );
  }

  #open(): Opening {
    const giveUp = new AbortController();
    const opening: Opening = { giveUp, link: this.#connect(giveUp.signal, () => this.#drop(opening)) };
    return opening;
  }

  async #connect(signal: AbortSignal, onEnd: () => void): Promise<RabbitmqLink> {
    // As with Kafka: who delivers nothing to RabbitMQ never loads its client.
    const { RabbitmqLink } = await import('./rabbitmq-link.ts');
    const { connectTimeoutMs = 5_000 } = this.#options;
    const link = await RabbitmqLink.open({
      destination: this.#destination,
      guard: createHostGuard(this.#options, this.#destination),
      connectTimeoutMs,
      signal,
      onAnswer: () => {
        this.#answeredAt = performance.now();
      },
      onEnd,
    });
    if (!signal.aborted) this.#blocked = () => link.blocked;
    return link;
  }
}

/** Apart from `#send`, which may wait for ever and must not hold the message meanwhile. */
function exchangeOf({ message }: Shipped): string {
  return message.destination.exchange;
}

async function publish(shipment: Shipped, channel: RabbitmqChannel): Promise<void> {
  // Its time may have passed while it waited for the channel.
  if (!shipment.isOver) shipment.end(await channel.publish(shipment.message));
}
