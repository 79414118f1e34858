import type { Connection, ConnectionPool } from '@platformatic/kafka';
import { guardFrames } from './guard-frames.ts';

/**
 * The largest response that is read: far larger than a message may be anywhere, because one that is larger than what a fetch asks for comes all
 * the same. What other servers say first, read as a length, is more.
 */
const MAX_RESPONSE_BYTES = 256 * 1024 * 1024;

/**
 * Every connection that a Kafka client opens through this pool is guarded, so that a peer that is no broker costs it that connection alone.
 * @param onFault hears what broke a connection: to those who wait for an answer by it the client says that it was closed, and not why
 */
export function guardKafka(
  { connections }: { readonly connections: ConnectionPool },
  onFault: (error: unknown) => void = () => {},
): void {
  for (const [, connection] of connections) guard(connection, onFault);
  // The socket is opened in this turn of the event loop, and heard of in another.
  connections.on('connecting', ({ connection }) => queueMicrotask(() => guard(connection as Connection, onFault)));
}

/** Ends all that a client has under way, at once: a peer that is silent would be waited for half a minute, and asked again. */
export function cutKafka({ connections }: { readonly connections: ConnectionPool }): void {
  const open = [...connections].map(([, connection]) => connection);
  // Closed first, so that nothing is tried again by a new connection.
  connections.close().catch(() => {});
  for (const { socket } of open) (socket as typeof socket | undefined)?.destroy();
}

function guard(connection: Connection, onFault: (error: unknown) => void): void {
  // None, where what it was to connect to is no address.
  const socket = connection.socket as Connection['socket'] | undefined;
  if (socket !== undefined) guardFrames(socket, MAX_RESPONSE_BYTES);
  // The client listens to the first error alone, a second one would end the process; and it leaves the socket of a failed login open.
  connection.on('error', (error) => {
    onFault(error);
    socket?.destroy();
  });
}
