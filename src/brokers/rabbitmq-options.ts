import { isIP } from 'node:net';
import type { ConnectionOptions } from 'rabbitmq-client';
import type { RabbitmqConnection } from '../config/rabbitmq-connection.ts';
import { tlsOptions } from './tls-options.ts';

export interface RabbitmqUse {
  /** Which of the hosts, counted round and round. */
  readonly turn: number;
  /** How the broker's own pages call the connection. */
  readonly name: string;
  /** More options of the socket, such as a `lookup` that guards. */
  readonly socket?: Readonly<Record<string, unknown>>;
}

/** Options of rabbitmq-client for one node of a described connection. Holds secrets. */
export function rabbitmqOptions(
  connection: RabbitmqConnection,
  { turn, name, socket }: RabbitmqUse,
): ConnectionOptions {
  const { hosts, vhost, username, password, tls, heartbeat_seconds: heartbeat } = connection;
  const [, hostname, port] = /^\[?([^\]]*)\]?:(\d+)$/.exec(hosts[turn % hosts.length]!)!;
  const secure = tlsOptions(tls);
  return {
    hostname: hostname!,
    port: Number(port),
    vhost,
    username,
    password,
    heartbeat,
    connectionName: name,
    connectionTimeout: CONNECT_MS,
    acquireTimeout: CONNECT_MS,
    noDelay: true,
    frameMax: FRAME_BYTES,
    // The type asks for a port here too, which the client does not.
    socket: { ...socket } as unknown as NonNullable<ConnectionOptions['socket']>,
    ...(secure === null ? {} : { tls: { ...serverName(hostname!), ...secure } }),
  };
}

/** Node names the server in a TLS handshake only where it is told to. An address is no server name (RFC 6066). */
function serverName(hostname: string): { readonly servername?: string } {
  return isIP(hostname) === 0 ? { servername: hostname } : {};
}

const CONNECT_MS = 10_000;
/** What RabbitMQ agrees to by default. The properties and headers of a message are one frame: with less, large ones cannot be published. */
const FRAME_BYTES = 128 * 1024;
