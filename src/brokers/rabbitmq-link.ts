import type { Socket } from 'node:net';
import { type Channel, Connection, type ConnectionOptions } from 'rabbitmq-client';
import { keepToAgreedFrames } from './agreed-frames.ts';
import { guardReads } from './guard-reads.ts';
import { keepBodies } from './keep-bodies.ts';

/** One connection, for as long as it lasts: it never comes back by itself, so that whoever uses it knows what was lost. */
export interface RabbitmqLink {
  /** Resolves, with the reason, when it is over. */
  readonly closed: Promise<Error>;
  /** The broker is short of memory or disk and takes nothing that is published. */
  isBlocked(): boolean;
  /** A channel whose messages have their bodies as bytes, of which no more than `keepBytes` are kept. Its errors end it alone. */
  channel(keepBytes?: number): Promise<Channel>;
  /** Ends it in order, or after a second without. Channels are to be closed before. */
  close(): Promise<void>;
  destroy(): void;
}

/**
 * @param signal gives up what is not connected yet
 * @throws Error when there is no connection within the time that the options give; its text has no secrets.
 */
export async function openRabbitmq(options: ConnectionOptions, signal?: AbortSignal): Promise<RabbitmqLink> {
  const connection = new Connection(options);
  const socket = socketOf(connection);
  guardReads(socket, MAX_READ_BYTES);
  const lastRead = rememberReads(socket);
  const { promise: closed, resolve } = Promise.withResolvers<Error>();
  let isOver = false;
  const end = (reason: Error) => {
    isOver = true;
    resolve(reason);
    // Before the client connects again by itself.
    connection.unsafeDestroy();
  };
  let isBlocked = false;
  connection.on('error', (error: Error) => end(error));
  connection.on('connection.blocked', () => {
    isBlocked = true;
  });
  connection.on('connection.unblocked', () => {
    isBlocked = false;
  });
  const { promise: connected, resolve: connect } = Promise.withResolvers<null>();
  connection.on('connection', () => connect(null));
  const giveUp = () => end(new Error('The connection was given up.'));
  signal?.addEventListener('abort', giveUp);
  const failure = await Promise.race([connected, closed]);
  signal?.removeEventListener('abort', giveUp);
  if (failure !== null) throw failure;
  keepToAgreedFrames(connection);
  return {
    closed,
    isBlocked: () => isBlocked,
    channel: async (keepBytes = Infinity) => {
      const channel = await connection.acquire({ emitErrorsFromChannel: true });
      channel.on('error', () => {});
      keepBodies(channel, keepBytes, lastRead);
      return channel;
    },
    close: async () => {
      if (isOver) return;
      const { promise: late, resolve: giveUp } = Promise.withResolvers<void>();
      const timer = setTimeout(giveUp, CLOSE_MS);
      // Destroyed while it waits for channels to close, the client's own promise would never resolve.
      await Promise.race([connection.close().catch(() => {}), late]);
      clearTimeout(timer);
      end(new Error('The connection was closed by us.'));
    },
    destroy: () => end(new Error('The connection was closed by us.')),
  };
}

const CLOSE_MS = 1_000;
/** The largest frame that is read: far larger than any that is agreed on. */
const MAX_READ_BYTES = 1024 * 1024;

/** @returns what was read last; null: nothing */
function rememberReads(socket: Socket): () => Buffer | null {
  const read = socket.read.bind(socket);
  let last: Buffer | null = null;
  socket.read = (size?: number) => {
    last = read(size) as Buffer | null;
    return last;
  };
  return () => last;
}

/** Not public, but there from the start, and the version is pinned. @throws Error where it is not: then nothing is read */
function socketOf(connection: Connection): Socket {
  const { _socket: socket } = connection as unknown as { _socket?: Socket };
  if (socket !== undefined) return socket;
  connection.unsafeDestroy();
  throw new Error('rabbitmq-client is not the version that src/brokers/rabbitmq-link.ts was written for.');
}
