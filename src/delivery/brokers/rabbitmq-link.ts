import type { Socket } from 'node:net';
import { Connection } from 'rabbitmq-client';
import { keepToAgreedFrames } from '../../brokers/agreed-frames.ts';
import { guardReads } from '../../brokers/guard-reads.ts';
import type { RabbitmqDestination } from '../../domain/destination.ts';
import { DeliveryFailure, unreachable } from '../classify.ts';
import { parseBrokerHost } from './broker-host.ts';
import { brokerTls, type HostGuard } from './host-guard.ts';
import type { RabbitmqChannel } from './rabbitmq-channel.ts';
import { RabbitmqChannels } from './rabbitmq-channels.ts';

export interface RabbitmqLinkOptions {
  readonly destination: RabbitmqDestination;
  readonly guard: HostGuard;
  readonly connectTimeoutMs: number;
  /** Nobody wants it any more: what is not connected yet is given up. */
  readonly signal: AbortSignal;
  /** The broker has taken or refused a message. */
  readonly onAnswer: () => void;
  /** It is of no use any more. */
  readonly onEnd: () => void;
}

const FRAME_BYTES = 128 * 1024;
const HEARTBEAT_SECONDS = 30;
/** The largest frame that is read: larger than the one that was agreed on, for those before the agreement. */
const MAX_READ_BYTES = 1024 * 1024;
/** What a peer may send beyond twice of what it was sent: answers are smaller than messages, and those that it gives back as large. */
const SPARE_BYTES = 4 * 1024 * 1024;

/** One connection to RabbitMQ, opened through the guard. It does not come back by itself: the next one is resolved and checked anew. */
export class RabbitmqLink {
  readonly #connection: Connection;
  readonly #channels: RabbitmqChannels;
  /** Why the broker takes nothing now; null when it does. */
  blocked: string | null = null;

  private constructor(connection: Connection, options: RabbitmqLinkOptions) {
    this.#connection = connection;
    const most = channelMaxOf(connection);
    this.#channels = new RabbitmqChannels({ connection, most, onAnswer: options.onAnswer });
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
      if (options.signal.aborted) throw givenUp();
      const host = parseBrokerHost(text);
      try {
        for (const address of await options.guard.vet(host)) {
          if (options.signal.aborted) throw givenUp();
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

  /** The channel of an exchange. @throws Error when there is none: then the link is of no use any more */
  withChannel<T>(exchange: string, use: (channel: RabbitmqChannel) => Promise<T>): Promise<T> {
    return this.#channels.use(exchange, use);
  }

  close(): void {
    this.#connection.unsafeDestroy();
  }
}

async function connect(
  { destination, guard, connectTimeoutMs, signal }: RabbitmqLinkOptions,
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
  const { promise: connected, resolve, reject } = Promise.withResolvers<void>();
  const giveUp = () => reject(givenUp());
  connection.once('connection', resolve);
  connection.once('error', reject);
  signal.addEventListener('abort', giveUp);
  try {
    await connected;
    if (!guard.isAllowedPeer(socket.remoteAddress, port))
      throw new DeliveryFailure({ kind: 'blocked', detail: `${name}: address is in a network that is not allowed` });
    keepToAgreedFrames(connection);
    return connection;
  } catch (error) {
    connection.on('error', () => {});
    connection.unsafeDestroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

function givenUp(): DeliveryFailure {
  return new DeliveryFailure(unreachable('reset', 'connection was given up'));
}

/** Not public, but there from the start, and the version is pinned. @throws Error where it is not: then nothing is sent */
function socketOf(connection: Connection): Socket {
  const { _socket: socket } = connection as unknown as { _socket?: Socket };
  if (socket === undefined) throw new DeliveryFailure(unreachable('protocol', 'the client shows no socket'));
  return socket;
}

/** What was agreed on with the broker. Not public either. */
function channelMaxOf(connection: Connection): number {
  const { _state: state } = connection as unknown as { _state?: { channelMax?: number } };
  if (state?.channelMax === undefined)
    throw new DeliveryFailure(unreachable('protocol', 'the client shows no bound of channels'));
  return state.channelMax;
}
