import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** What a connection waits for. `us`: there is nothing that the client has to do. */
export type Awaited = 'first_byte' | 'next_request' | 'body' | 'reading' | 'us';

/**
 * How many looks, a second apart, may find nothing done. Bodies have a timeout of Node's. Looks are counted, and not time, so that a process
 * that itself stood still blames no client.
 */
const PATIENCE: Readonly<Record<Awaited, number>> = {
  // Balancers and browsers open connections in advance, and send nothing at first.
  first_byte: 10,
  // Node's own timeout, 65 seconds, is over as soon as anything comes, even an empty line.
  next_request: 70,
  body: Number.POSITIVE_INFINITY,
  reading: 10,
  us: Number.POSITIVE_INFINITY,
};

/**
 * Finds out whether a client does its part, by looking at the connection once a second. That takes no timer for each connection, and no
 * work for each request.
 */
export class ClientWatch {
  readonly #socket: Socket;
  #awaited: Awaited = 'us';
  #done = 0;
  #inVain = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** To be called every second. @returns whether the client has done nothing for too long */
  look(underWay: ServerResponse | null): boolean {
    const awaited = awaitedOf(this.#socket, underWay);
    this.#inVain = this.#isAsBefore(awaited) ? this.#inVain + 1 : 0;
    this.#awaited = awaited;
    this.#done = doneOf(awaited, this.#socket);
    return this.#inVain >= PATIENCE[awaited];
  }

  /** What the client has not done for a second or so; null: it has done its part. */
  stalled(underWay: ServerResponse | null): Awaited | null {
    if (this.#inVain === 0 || this.#awaited === 'us') return null;
    return this.#isAsBefore(awaitedOf(this.#socket, underWay)) ? this.#awaited : null;
  }

  #isAsBefore(awaited: Awaited): boolean {
    return awaited === this.#awaited && doneOf(awaited, this.#socket) === this.#done;
  }
}

function awaitedOf(socket: Socket, underWay: ServerResponse | null): Awaited {
  if (underWay === null) return socket.bytesRead === 0 ? 'first_byte' : 'next_request';
  if (socket.writableLength > 0) return 'reading';
  // As long as nobody reads the body, the client need not send it.
  return !underWay.req.complete && underWay.req.readableFlowing === true ? 'body' : 'us';
}

function doneOf(awaited: Awaited, socket: Socket): number {
  return awaited === 'reading' ? sentBytes(socket) : socket.bytesRead;
}

interface Handle {
  readonly bytesWritten: number;
  readonly writeQueueSize: number;
}

/**
 * The bytes that the system has taken. Node's public figures count a piece as waiting until its last byte is gone, so that a large answer on a
 * slow line would seem to stand still.
 */
function sentBytes(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { readonly _handle?: Handle | null };
  if (typeof handle?.writeQueueSize !== 'number') return socket.bytesWritten - socket.writableLength;
  return handle.bytesWritten - handle.writeQueueSize;
}
