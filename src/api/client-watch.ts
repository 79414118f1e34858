import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** What a connection waits for. Where it is `us`, the client owes nothing. */
export type Awaited = 'first_byte' | 'next_request' | 'body' | 'reading' | 'us';

/** How many looks, a second apart, may find nothing done. For bodies Node has a time of its own. Looks are counted, so that a process that stood still blames nobody. */
const PATIENCE: Readonly<Record<Awaited, number>> = {
  // Balancers and browsers open connections in advance.
  first_byte: 10,
  // Node's own time for it, 65 seconds, ends when anything comes, an empty line too.
  next_request: 70,
  body: Number.POSITIVE_INFINITY,
  reading: 10,
  us: Number.POSITIVE_INFINITY,
};

/** Whether a client does its part: it is looked at now and then, which takes no timer, and nothing of what is done for a request. */
export class ClientWatch {
  readonly #socket: Socket;
  #awaited: Awaited = 'us';
  #done = 0;
  #inVain = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** @returns whether the client has had its time */
  look(underWay: ServerResponse | null): boolean {
    const awaited = awaitedOf(this.#socket, underWay);
    this.#inVain = this.#isAsBefore(awaited) ? this.#inVain + 1 : 0;
    this.#awaited = awaited;
    this.#done = doneOf(awaited, this.#socket);
    return this.#inVain >= PATIENCE[awaited];
  }

  /** What the client has left undone for a second or so; null where it has not. */
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
  // A body that nobody reads yet is not asked for.
  return !underWay.req.complete && underWay.req.readableFlowing === true ? 'body' : 'us';
}

function doneOf(awaited: Awaited, socket: Socket): number {
  return awaited === 'reading' ? sentBytes(socket) : socket.bytesRead;
}

interface Handle {
  readonly bytesWritten: number;
  readonly writeQueueSize: number;
}

/** What the system has taken. In public Node counts what it was given, and takes a piece for waiting until the last byte of it is gone: a large answer on a slow line would stand still. */
function sentBytes(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { readonly _handle?: Handle | null };
  if (typeof handle?.writeQueueSize !== 'number') return socket.bytesWritten - socket.writableLength;
  return handle.bytesWritten - handle.writeQueueSize;
}
