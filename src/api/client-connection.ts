import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ClientWatch } from './client-watch.ts';

/** How many requests of a connection may wait behind the one that is handled. Each takes a few kB before anybody has shown a key. */
const MAX_WAITING = 32;
/** How many looks, a second apart, an excused request may still be late before its connection is closed after all. */
const LATE_PATIENCE = 30;

interface Waiting {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly handle: RequestListener;
}

/** A request for which Node's timeout ran out through no fault of its client's. Node does not time it a second time. */
interface Late {
  /** Null while its head has not come in full. */
  request: IncomingMessage | null;
  looks: number;
}

/** The states of a connection, in the order in which it has to give its place to a new one. */
export const CLAIMS = ['idle', 'stalled_body', 'answered', 'body_to_come', 'at_work'] as const;
export type Claim = (typeof CLAIMS)[number];

/**
 * A connection, of which one request is handled at a time. Node hands over all requests that one read of the socket brings, maybe thousands,
 * and would have them handled before those of any other connection. Here the others wait in their order, and nothing more is read meanwhile.
 * If one read brings more than may wait, the rest is dropped: the last one that waits is answered with `connection: close`, which tells the
 * client that what it sent behind it was not handled, and may be sent again (RFC 9112 §9.3.2).
 */
export class ClientConnection {
  readonly socket: Socket;
  readonly #openedAt = performance.now();
  readonly #waiting: Waiting[] = [];
  #underWay: ServerResponse | null = null;
  #begunAt = this.#openedAt;
  #quietFrom = this.#openedAt;
  #readBefore = 0;
  #isOver = false;
  #late: Late | null = null;
  readonly #watch: ClientWatch;

  constructor(socket: Socket) {
    this.socket = socket;
    this.#watch = new ClientWatch(socket);
    // Node resumes reading at the end of each request and of each answer.
    socket.on('resume', () => {
      if (this.#isHeld) stopReading(socket);
    });
  }

  /** The answer that is being made. */
  get underWay(): ServerResponse | null {
    return this.#underWay;
  }

  /**
   * Whether for so many ms nothing was under way, and nothing has come. It sees what has come only when it is called, so that it has to be
   * called again and again. What comes without being a request may be the beginning of one, or an empty line that Node skips.
   */
  isIdle(ms: number): boolean {
    if (this.#underWay !== null || this.#waiting.length > 0) return false;
    if (this.socket.bytesRead !== this.#readBefore) this.#beQuiet();
    return performance.now() - this.#quietFrom >= ms;
  }

  /** When the handling of the last request began. */
  get begunAt(): number {
    return this.#begunAt;
  }

  /**
   * An answer that its client does not read is no work of ours: the client may hold it up for as long as it likes. The same goes for a body.
   * As long as some of it is still to come, however fast it comes, nothing is being done for the request.
   */
  get claim(): Claim {
    const underWay = this.#underWay;
    if (underWay === null) return 'idle';
    const stalled = this.#watch.stalled(underWay);
    if (stalled === 'reading') return 'idle';
    if (stalled === 'body') return 'stalled_body';
    const isAnswered = underWay.writableEnded || (underWay.headersSent && !underWay.req.complete);
    if (isAnswered) return 'answered';
    // A body that nobody reads yet waits for us, not for the client.
    return underWay.req.complete || underWay.req.readableFlowing !== true ? 'at_work' : 'body_to_come';
  }

  /** Whether the client would take what is written now for an answer, or a part of one, to a request that has come in full. */
  get isAnswering(): boolean {
    return this.#underWay?.headersSent === true || this.#underWay?.req.complete === true || this.#waiting.length > 0;
  }

  /** Calls `handle` when it is the request's turn; never, if the connection ends before. */
  take(request: IncomingMessage, response: ServerResponse, handle: RequestListener): void {
    if (this.#late !== null) this.#late.request ??= request;
    if (this.#underWay === null && this.#waiting.length === 0) this.#begin(request, response, handle);
    else this.#hold({ request, response, handle });
  }

  /**
   * To be asked when Node's timeout for a request has run out; it goes on running while we do not read. If other requests of the connection
   * are being answered, the client waits for those answers and is to get them: its time for the next request begins after them. A connection
   * on which nothing has ever come has longer, and gets no answer.
   * @returns whether the request may still come
   */
  excuse(): boolean {
    if (this.socket.bytesRead === 0) return true;
    if (!this.isAnswering) return false;
    const last = this.#waiting.at(-1)?.request ?? this.#underWay?.req;
    this.#late = { request: last?.complete === false ? last : null, looks: 0 };
    return true;
  }

  /**
   * To be called every second.
   * @returns `stalled`: the client has done nothing for too long; `late`: an excused request has not come in its second time either; null: neither
   */
  look(): 'stalled' | 'late' | null {
    if (this.#watch.look(this.#underWay)) return 'stalled';
    const late = this.#late;
    if (late === null) return null;
    if (late.request?.complete === true) this.#late = null;
    else if (!this.isAnswering && ++late.looks >= LATE_PATIENCE) return 'late';
    return null;
  }

  get #isHeld(): boolean {
    return this.#waiting.length > 0 || this.#isOver;
  }

  #begin(request: IncomingMessage, response: ServerResponse, handle: RequestListener): void {
    this.#underWay = response;
    this.#begunAt = performance.now();
    response.once('close', this.#onClosed);
    handle(request, response);
  }

  #hold(waiting: Waiting): void {
    if (this.#isOver) return;
    if (this.#waiting.length === MAX_WAITING) {
      this.#isOver = true;
      sayClose(this.#waiting.at(-1)!.response);
      return;
    }
    this.#waiting.push(waiting);
    stopReading(this.socket);
  }

  readonly #onClosed = (): void => {
    this.#underWay = null;
    this.#beQuiet();
    // In a later turn of the event loop, so that other connections have theirs in between.
    if (this.#waiting.length > 0) setImmediate(this.#onTurn);
  };

  #beQuiet(): void {
    this.#quietFrom = performance.now();
    this.#readBefore = this.socket.bytesRead;
  }

  readonly #onTurn = (): void => {
    // The connection is closed, or about to be: nobody would get an answer.
    if (!this.socket.writable) {
      this.#waiting.length = 0;
      return;
    }
    const { request, response, handle } = this.#waiting.shift()!;
    if (!this.#isHeld) this.socket.resume();
    this.#begin(request, response, handle);
  };
}

/**
 * Pauses a socket so that Node notices. Node hears of a pause by its event, and a socket only emits that if it was flowing. After a resume it
 * is not flowing until the next tick: a pause in between would emit nothing, and Node would go on reading.
 */
function stopReading(socket: Socket): void {
  socket.pause();
  socket.emit('pause');
}

export function sayClose(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('connection', 'close');
}
