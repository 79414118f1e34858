import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ClientWatch } from './client-watch.ts';

/** How many requests may wait behind the one that is handled: each is a few kB that nobody has asked a key for. */
const MAX_WAITING = 32;
/** How many looks find a request late that Node has given up for, and that was excused, before it is given up for good. */
const LATE_PATIENCE = 30;

interface Waiting {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly handle: RequestListener;
}

/** A request for which Node's time ran out through no fault of its client's. Node has no other time for it. */
interface Late {
  /** null while its head has not come in full. */
  request: IncomingMessage | null;
  looks: number;
}

/** How readily a connection gives its place to a new one, the readiest first. */
export const CLAIMS = ['idle', 'stalled_body', 'answered', 'body_to_come', 'at_work'] as const;
export type Claim = (typeof CLAIMS)[number];

/**
 * A connection, of which one request is handled at a time: Node hands over all requests that a read of the socket brings, thousands maybe, and would have them handled before anybody
 * else's. The others wait in their order, and meanwhile nothing more is read. Of one read that brings too many, those that have a place are answered, the last with
 * `connection: close`: what comes behind it was not handled, and may be sent again (RFC 9112 §9.3.2).
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
    // The end of each request, and of each answer, has Node read on.
    socket.on('resume', () => {
      if (this.#isHeld) stopReading(socket);
    });
  }

  /** Whose answer is being made. */
  get underWay(): ServerResponse | null {
    return this.#underWay;
  }

  /**
   * To be asked again and again. Whether nothing is under way, and nothing was, nor has anything come, for so long. What came without being a request may be the beginning of one, or an empty
   * line that Node skips.
   */
  isIdle(ms: number): boolean {
    if (this.#underWay !== null || this.#waiting.length > 0) return false;
    if (this.socket.bytesRead !== this.#readBefore) this.#beQuiet();
    return performance.now() - this.#quietFrom >= ms;
  }

  /** When its turn came to the last request. */
  get begunAt(): number {
    return this.#begunAt;
  }

  /**
   * An answer that nobody reads is work for no one: its client holds it up for as long as it likes. So it does with a body: as long as any of it is to come, however fast
   * it comes, the request is not worked for.
   */
  get claim(): Claim {
    const underWay = this.#underWay;
    if (underWay === null) return 'idle';
    const stalled = this.#watch.stalled(underWay);
    if (stalled === 'reading') return 'idle';
    if (stalled === 'body') return 'stalled_body';
    const isAnswered = underWay.writableEnded || (underWay.headersSent && !underWay.req.complete);
    if (isAnswered) return 'answered';
    // One that is not read yet waits for us.
    return underWay.req.complete || underWay.req.readableFlowing !== true ? 'at_work' : 'body_to_come';
  }

  /** Whether something that is written now would be taken for the answer, or a part of it, to a request that has come in full. */
  get isAnswering(): boolean {
    return this.#underWay?.headersSent === true || this.#underWay?.req.complete === true || this.#waiting.length > 0;
  }

  /** Has `handle` called when it is the request's turn, or never where the connection ends before. */
  take(request: IncomingMessage, response: ServerResponse, handle: RequestListener): void {
    if (this.#late !== null) this.#late.request ??= request;
    if (this.#underWay === null && this.#waiting.length === 0) this.#begin(request, response, handle);
    else this.#hold({ request, response, handle });
  }

  /**
   * To be asked when Node's time for a request has run out, which goes on while nothing is read. Where others of its connection are being answered their client waits for these, and is to get
   * them: it has its time when they are done. A connection on which nothing ever came has longer, and is owed no answer.
   */
  excuse(): boolean {
    if (this.socket.bytesRead === 0) return true;
    if (!this.isAnswering) return false;
    const last = this.#waiting.at(-1)?.request ?? this.#underWay?.req;
    this.#late = { request: last?.complete === false ? last : null, looks: 0 };
    return true;
  }

  /** To be called every second. @returns what its client has had all its time for: to do anything, or to send a request that was late before */
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
    // Not at once: other connections have their turn between.
    if (this.#waiting.length > 0) setImmediate(this.#onTurn);
  };

  #beQuiet(): void {
    this.#quietFrom = performance.now();
    this.#readBefore = this.socket.bytesRead;
  }

  readonly #onTurn = (): void => {
    // Closed, or about to be: nobody would get an answer.
    if (!this.socket.writable) {
      this.#waiting.length = 0;
      return;
    }
    const { request, response, handle } = this.#waiting.shift()!;
    if (!this.#isHeld) this.socket.resume();
    this.#begin(request, response, handle);
  };
}

/** A pause tells of itself only where the socket was flowing. Paused between a resume and what that has done in the next tick, it is not, and Node, which hears of pauses by their event, would go on reading. */
function stopReading(socket: Socket): void {
  socket.pause();
  socket.emit('pause');
}

export function sayClose(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('connection', 'close');
}
