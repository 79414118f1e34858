import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** How many requests may wait behind the one that is handled: each is a few kB that nobody has asked a key for. */
const MAX_WAITING = 32;

interface Waiting {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly handle: RequestListener;
}

/**
 * A connection, of which one request is handled at a time: Node hands over all requests that a read of the socket brings, thousands maybe, and would have them handled before anybody
 * else's. The others wait in their order, and meanwhile nothing more is read. Of one read that brings too many, those that have a place are answered, the last with
 * `connection: close`: what comes behind it was not handled, and may be sent again (RFC 9112 §9.3.2).
 */
export class ClientConnection {
  readonly socket: Socket;
  readonly openedAt = performance.now();
  readonly #waiting: Waiting[] = [];
  #underWay: ServerResponse | null = null;
  #isOver = false;

  constructor(socket: Socket) {
    this.socket = socket;
    // The end of each request, and of each answer, has Node read on.
    socket.on('resume', () => {
      if (this.#isHeld) socket.pause();
    });
  }

  /** Whose answer is being made. */
  get underWay(): ServerResponse | null {
    return this.#underWay;
  }

  get isIdle(): boolean {
    return this.#underWay === null && this.#waiting.length === 0 && !this.socket.destroyed;
  }

  /** Whether something that is written now would be taken for the answer, or a part of it, to a request that has come in full. */
  get isAnswering(): boolean {
    return this.#underWay?.headersSent === true || this.#underWay?.req.complete === true || this.#waiting.length > 0;
  }

  /** Has `handle` called when it is the request's turn, or never where the connection ends before. */
  take(request: IncomingMessage, response: ServerResponse, handle: RequestListener): void {
    if (this.#underWay === null && this.#waiting.length === 0) this.#begin(request, response, handle);
    else this.#hold({ request, response, handle });
  }

  get #isHeld(): boolean {
    return this.#waiting.length > 0 || this.#isOver;
  }

  #begin(request: IncomingMessage, response: ServerResponse, handle: RequestListener): void {
    this.#underWay = response;
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
    this.socket.pause();
  }

  readonly #onClosed = (): void => {
    this.#underWay = null;
    // Not at once: other connections have their turn between.
    if (this.#waiting.length > 0) setImmediate(this.#onTurn);
  };

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

export function sayClose(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('connection', 'close');
}
