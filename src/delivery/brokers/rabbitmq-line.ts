import type { RabbitmqDestination } from '../../domain/destination.ts';
import type { RabbitmqMessage } from '../prepare.ts';
import type { BrokerSenderOptions } from './broker-sender.ts';
import { classifyRabbitmq } from './classify-rabbitmq.ts';
import { createHostGuard } from './host-guard.ts';
import type { Line } from './line-pool.ts';
import type { RabbitmqLink } from './rabbitmq-link.ts';
import type { Shipment } from './shipment.ts';

type Shipped = Shipment<RabbitmqMessage>;

/** The way to one RabbitMQ as one user: one connection, made when there is something to send. */
export class RabbitmqLine implements Line<RabbitmqMessage> {
  readonly #destination: RabbitmqDestination;
  readonly #options: BrokerSenderOptions;
  #link: Promise<RabbitmqLink> | null = null;
  #blocked: () => string | null = () => null;
  /** When the broker last took or refused a message, in ms of `performance.now()`. */
  #answeredAt = 0;

  constructor(destination: RabbitmqDestination, options: BrokerSenderOptions) {
    this.#destination = destination;
    this.#options = options;
  }

  send(shipment: Shipped): void {
    void this.#send(shipment);
  }

  /** Where no message was answered since, the connection is cut: what was written to it would arrive after its time, or never. */
  late(shipment: Shipped): string {
    const reason = this.#blocked();
    if (this.#answeredAt < shipment.startedAt) this.close();
    return reason === null ? 'no confirm of the broker' : `the broker takes no messages (${reason}): no confirm`;
  }

  close(): void {
    this.#drop(this.#link);
  }

  async #send(shipment: Shipped): Promise<void> {
    this.#link ??= this.#open();
    const linking = this.#link;
    try {
      const link = await linking;
      if (shipment.isOver) return;
      const { message } = shipment;
      await link.withChannel(message.destination.exchange, async (channel) => {
        // Its time may have passed while it waited for the channel.
        if (!shipment.isOver) shipment.end(await channel.publish(message));
      });
    } catch (error) {
      // Of no use any more. What is under way on it ends as unreachable.
      this.#drop(linking);
      shipment.end(classifyRabbitmq(error));
    }
  }

  /** Never without closing it: a link that nobody knows would stay open for ever. */
  #drop(link: Promise<RabbitmqLink> | null): void {
    if (link === null || this.#link !== link) return;
    this.#link = null;
    this.#blocked = () => null;
    void link.then(
      (each) => each.close(),
      () => {},
    );
  }

  async #open(): Promise<RabbitmqLink> {
    // As with Kafka: who delivers nothing to RabbitMQ never loads its client.
    const { RabbitmqLink } = await import('./rabbitmq-link.ts');
    const { connectTimeoutMs = 5_000 } = this.#options;
    const opening: Promise<RabbitmqLink> | null = this.#link;
    const link = await RabbitmqLink.open({
      destination: this.#destination,
      guard: createHostGuard(this.#options, this.#destination),
      connectTimeoutMs,
      onAnswer: () => {
        this.#answeredAt = performance.now();
      },
      onEnd: () => this.#drop(opening),
    });
    this.#blocked = () => link.blocked;
    return link;
  }
}
