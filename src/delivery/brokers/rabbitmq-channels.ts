import type { Connection } from 'rabbitmq-client';
import { RabbitmqChannel } from './rabbitmq-channel.ts';

export interface RabbitmqChannelsOptions {
  readonly connection: Connection;
  /** Channels that the broker allows a connection: one more would end it. */
  readonly most: number;
  /** The broker has taken or refused a message. */
  readonly onAnswer: () => void;
}

/** Past so many, those that are idle are closed. */
const KEPT = 128;

interface Lease {
  readonly exchange: string;
  /** How many wait for it or use it. */
  users: number;
  /** Null until it is open. */
  channel: RabbitmqChannel | null;
  opening: Promise<RabbitmqChannel>;
}

/**
 * The channels of one connection, one an exchange. Where the broker allows no more, those that want another one wait until one that nobody
 * uses has made room. The oldest takes nothing new from then on, so that exchanges that are always in use do not keep the others out.
 */
export class RabbitmqChannels {
  readonly #options: RabbitmqChannelsOptions;
  readonly #leases = new Map<string, Lease>();
  /** Channels that are open, or are being opened or closed. */
  #places = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(options: RabbitmqChannelsOptions) {
    this.#options = options;
  }

  /**
   * What `send` does with the channel of the exchange, which is not closed before it is done.
   * @throws Error when none can be opened: then the connection is of no use
   */
  async use<T>(exchange: string, send: (channel: RabbitmqChannel) => Promise<T>): Promise<T> {
    const lease = this.#leaseOf(exchange);
    lease.users++;
    try {
      return await send(await lease.opening);
    } finally {
      lease.users--;
      const isWanted = this.#leases.get(exchange) === lease && this.#waiting.length === 0;
      if (lease.users === 0 && !isWanted) this.#retire(lease);
    }
  }

  /** In one turn: two that ask at once get the same. */
  #leaseOf(exchange: string): Lease {
    const known = this.#leases.get(exchange);
    if (known !== undefined && known.channel?.isActive !== false) return known;
    const { promise, resolve } = Promise.withResolvers<RabbitmqChannel>();
    const lease: Lease = { exchange, users: 0, channel: null, opening: promise };
    this.#leases.delete(exchange);
    resolve(this.#open(lease));
    this.#leases.set(exchange, lease);
    return lease;
  }

  async #open(lease: Lease): Promise<RabbitmqChannel> {
    const { connection, onAnswer } = this.#options;
    await this.#place();
    let isOver = false;
    const end = () => {
      if (isOver) return;
      isOver = true;
      this.#forget(lease);
      this.#free();
    };
    try {
      const channel = await connection.acquire({ emitErrorsFromChannel: true });
      channel.once('close', end);
      lease.channel = new RabbitmqChannel(channel, onAnswer);
      await channel.confirmSelect();
      return lease.channel;
    } catch (error) {
      end();
      throw error;
    }
  }

  /** Resolves when there may be one channel more. */
  async #place(): Promise<void> {
    const isFull = this.#places >= this.#options.most;
    if (isFull || this.#leases.size >= KEPT) this.#makeRoom(isFull);
    if (isFull) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#places++;
  }

  #makeRoom(isUrgent: boolean): void {
    const leases = [...this.#leases.values()];
    const lease = leases.find(({ users }) => users === 0) ?? (isUrgent ? leases[0] : undefined);
    if (lease !== undefined) this.#retire(lease);
  }

  /** It is used by nobody else, and closed when it is used no more. */
  #retire(lease: Lease): void {
    this.#forget(lease);
    if (lease.users === 0) lease.channel?.close();
  }

  #forget(lease: Lease): void {
    if (this.#leases.get(lease.exchange) === lease) this.#leases.delete(lease.exchange);
  }

  /** A channel less: the place is of whoever has waited longest. */
  #free(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#places--;
    else next();
  }
}
