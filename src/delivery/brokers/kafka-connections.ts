import type { Socket } from 'node:net';
import { type Broker, type Connection, type ConnectionOptions, ConnectionPool, Reader } from '@platformatic/kafka';
import { guardFrames } from '../../brokers/guard-frames.ts';
import { guardReader } from '../../brokers/guard-reader.ts';
import { DeliveryFailure, unreachable } from '../classify.ts';
import { brokerTls, type HostGuard } from './host-guard.ts';

export interface KafkaGuard {
  readonly hosts: HostGuard;
  readonly tls: { readonly ca: string | null } | null;
  /** A broker has said something. */
  readonly onData: () => void;
}

const MAX_BROKERS = 64;
/**
 * The largest response that is read: far larger than the metadata of a topic with thousands of partitions. What is made of it takes ten
 * times as much, and is kept for as long as the connection; a tenant may have many, and name any server as a broker.
 */
const MAX_RESPONSE_BYTES = 512 * 1024;

/**
 * The connections of one Kafka client, each through the guard: to brokers that the endpoint names as to those that the cluster's metadata
 * names. The client's own pool resolves names when it connects; here it gets vetted literals, and the name for TLS alone.
 */
export class KafkaConnections {
  readonly #clientId: string;
  readonly #options: ConnectionOptions;
  readonly #guard: KafkaGuard;
  /** A pool for each name, because a pool has one TLS server name. */
  readonly #pools = new Map<string, ConnectionPool>();
  readonly #connected = new Map<string, { readonly pool: ConnectionPool; readonly broker: Broker }>();
  readonly #pending = new Map<string, Promise<Connection>>();
  readonly #watched = new WeakSet<Socket>();
  #isClosed = false;

  constructor(clientId: string, options: ConnectionOptions, guard: KafkaGuard) {
    this.#clientId = clientId;
    this.#options = options;
    this.#guard = guard;
    guardReader(Reader);
  }

  /** @throws DeliveryFailure, or what the client throws */
  async get({ host, port }: Broker): Promise<Connection> {
    const key = `${host}:${port}`;
    const known = this.#connected.get(key);
    if (known?.pool.getEstablishedConnection(known.broker)?.isConnected()) return known.pool.get(known.broker);
    let pending = this.#pending.get(key);
    if (pending === undefined) {
      pending = this.#connect({ host, port }, key).finally(() => this.#pending.delete(key));
      this.#pending.set(key, pending);
    }
    return pending;
  }

  /** The first of several that can be reached. @throws AggregateError of all that went wrong */
  async getAny(brokers: readonly Broker[]): Promise<Connection> {
    const errors: unknown[] = [];
    for (const broker of brokers) {
      try {
        return await this.get(broker);
      } catch (error) {
        errors.push(error);
      }
    }
    throw new AggregateError(errors, 'no broker could be reached');
  }

  /** Cuts every connection: a broker that hangs would never let an orderly end come. */
  destroy(): void {
    this.#isClosed = true;
    for (const pool of this.#pools.values()) for (const [, connection] of pool) connection.socket?.destroy();
  }

  async #connect({ host, port }: Broker, key: string): Promise<Connection> {
    for (const [other, { pool, broker }] of this.#connected) if (!pool.has(broker)) this.#connected.delete(other);
    if (this.#connected.size >= MAX_BROKERS)
      throw new DeliveryFailure(unreachable('protocol', `the cluster has more than ${MAX_BROKERS} brokers`));
    let failure: unknown = null;
    for (const address of await this.#guard.hosts.vet({ hostname: host, port })) {
      if (this.#isClosed) break;
      try {
        return await this.#open(host, { host: address, port }, key);
      } catch (error) {
        failure = error;
      }
    }
    throw failure ?? new DeliveryFailure(unreachable('reset', 'connection was given up'));
  }

  async #open(name: string, broker: Broker, key: string): Promise<Connection> {
    const pool = this.#poolOf(name);
    const opening = pool.get(broker);
    const opened = pool.getEstablishedConnection(broker);
    if (opened?.socket !== undefined) this.#watch(opened);
    const connection = await opening;
    if (!this.#guard.hosts.isAllowedPeer(connection.socket.remoteAddress, broker.port)) {
      connection.socket.destroy();
      throw new DeliveryFailure({ kind: 'blocked', detail: `${name}: address is in a network that is not allowed` });
    }
    this.#connected.set(key, { pool, broker });
    return connection;
  }

  /** Once: one that logs in anew is not connected meanwhile, and passes here again; a second guard would begin amid an answer. */
  #watch(connection: Connection): void {
    const { socket } = connection;
    if (this.#watched.has(socket)) return;
    this.#watched.add(socket);
    guardFrames(socket, MAX_RESPONSE_BYTES, this.#guard.onData);
    // The client listens to the first error alone, a second one would end the process; and it leaves the socket of a failed login open.
    connection.on('error', () => socket.destroy());
  }

  #poolOf(name: string): ConnectionPool {
    let pool = this.#pools.get(name);
    if (pool === undefined) {
      const { tls } = this.#guard;
      const secure = tls === null ? {} : { tls: brokerTls(name, tls.ca) };
      pool = new ConnectionPool(this.#clientId, { ...this.#options, ...secure });
      this.#pools.set(name, pool);
    }
    return pool;
  }
}
