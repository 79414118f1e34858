import type { Socket } from 'node:net';
import { Connection } from 'rabbitmq-client';
import { guardReads } from '../../brokers/guard-reads.ts';
import type { RabbitmqDestination } from '../../domain/destination.ts';
import { DeliveryFailure, unreachable } from '../classify.ts';
import type { RabbitmqMessage } from '../prepare.ts';
import { parseBrokerHost } from './broker-host.ts';
import { brokerTls, type HostGuard } from './host-guard.ts';
import { RabbitmqChannel } from './rabbitmq-channel.ts';
import type { BrokerReport } from './shipment.ts';

export interface RabbitmqLinkOptions {
  readonly destination: RabbitmqDestination;
  readonly guard: HostGuard;
  readonly connectTimeoutMs: number;
  /** The broker has taken or refused a message. */
  readonly onAnswer: () => void;
  /** It is of no use any more. */
  readonly onEnd: () => void;
}

const MAX_CHANNELS = 128;
const FRAME_BYTES = 128 * 1024;
const HEARTBEAT_SECONDS = 30;
/** The largest frame that is read: larger than the one that was agreed on, for those before the agreement. */
const MAX_READ_BYTES = 1024 * 1024;
/** What a peer may send beyond twice of what it was sent: answers are smaller than messages, and those that it gives back as large. */
const SPARE_BYTES = 4 * 1024 * 1024;

/** One connection to RabbitMQ, opened through the guard. It does not come back by itself: the next one is resolved and checked anew. */
export class RabbitmqLink {
  readonly #connection: Connection;
  readonly #options: RabbitmqLinkOptions;
  readonly #channels = new Map<string, Promise<RabbitmqChannel>>();
  /** Why the broker takes nothing now; null when it does. */
  blocked: string | null = null;

  private constructor(connection: Connection, options: RabbitmqLinkOptions) {
    this.#connection = connection;
    this.#options = options;
    connection.on('error', () => {
      connection.unsafeDestroy();
      options.onEnd();
    });
    connection.on('connection.blocked', (reason) => {
      this.blocked = String(reason).slice(0, 100);
    });
    connection.on('connection.unblocked', () => {
      this.blocked = null;
    });
  }

  /** The first of the hosts, and of its addresses, that can be reached. @throws what went wrong with the last one, or a refusal by the guard */
  static async open(options: RabbitmqLinkOptions): Promise<RabbitmqLink> {
    let failure: unknown = null;
    for (const text of options.destination.hosts) {
      const host = parseBrokerHost(text);
      try {
        for (const address of await options.guard.vet(host)) {
          try {
            return new RabbitmqLink(await connect(options, host.hostname, address, host.port), options);
          } catch (error) {
            failure = error;
          }
        }
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  async publish(message: RabbitmqMessage): Promise<BrokerReport> {
    const channel = await this.#channelOf(message.destination.exchange);
    return channel.publish(message);
  }

  close(): void {
    this.#connection.unsafeDestroy();
  }

  async #channelOf(exchange: string): Promise<RabbitmqChannel> {
    const known = this.#channels.get(exchange);
    if (known !== undefined && (await known).isActive) return known;
    if (known !== undefined && this.#channels.get(exchange) === known) this.#channels.delete(exchange);
    const opened = this.#channels.get(exchange);
    if (opened !== undefined) return opened;
    if (this.#channels.size >= MAX_CHANNELS) await this.#makeRoom();
    const opening = this.#openChannel();
    this.#channels.set(exchange, opening);
    opening.catch(() => this.#channels.delete(exchange));
    return opening;
  }

  async #openChannel(): Promise<RabbitmqChannel> {
    const channel = await this.#connection.acquire({ emitErrorsFromChannel: true });
    const own = new RabbitmqChannel(channel, this.#options.onAnswer);
    await channel.confirmSelect();
    return own;
  }

  async #makeRoom(): Promise<void> {
    for (const [exchange, opening] of this.#channels) {
      const channel = await opening.catch(() => null);
      if (channel !== null && !channel.isIdle) continue;
      this.#channels.delete(exchange);
      channel?.close();
      return;
    }
  }
}

async function connect(
  { destination, guard, connectTimeoutMs }: RabbitmqLinkOptions,
  name: string,
  address: string,
  port: number,
): Promise<Connection> {
  const { username, password, vhost, tls, ca } = destination;
  const connection = new Connection({
    ...{ hostname: address, port, username, password, vhost },
    connectionName: 'posthorn',
    connectionTimeout: connectTimeoutMs,
    acquireTimeout: connectTimeoutMs,
    heartbeat: HEARTBEAT_SECONDS,
    frameMax: FRAME_BYTES,
    noDelay: true,
    ...(tls ? { tls: brokerTls(name, ca) } : {}),
  });
  const socket = socketOf(connection);
  guardReads(socket, MAX_READ_BYTES, SPARE_BYTES);
  try {
    await new Promise<void>((resolve, reject) => {
      connection.once('connection', resolve);
      connection.once('error', reject);
    });
    if (!guard.isAllowedPeer(socket.remoteAddress, port))
      throw new DeliveryFailure({ kind: 'blocked', detail: `${name}: address is in a network that is not allowed` });
    return connection;
  } catch (error) {
    connection.on('error', () => {});
    connection.unsafeDestroy();
    throw error;
  }
}

/** Not public, but there from the start, and the version is pinned. @throws Error where it is not: then nothing is sent */
function socketOf(connection: Connection): Socket {
  const { _socket: socket } = connection as unknown as { _socket?: Socket };
  if (socket === undefined) throw new DeliveryFailure(unreachable('protocol', 'the client shows no socket'));
  return socket;
}
