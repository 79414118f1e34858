import type { Socket } from 'node:net';
import type { Dispatcher } from 'undici';
import type { AttemptTiming, Outcome, ReceivedResponse } from '../domain/outcome.ts';
import { classify, DeliveryFailure, type Failure, isPrematureEnd, ours, unreachable } from './classify.ts';
import type { WheelEntry } from './deadline-wheel.ts';
import type { Dialling } from './guarded-connector.ts';
import type { Connection, ConnectionAware, OriginPool } from './origin-pools.ts';
import { heardInTunnel } from './tunnel-answer.ts';

/** What one exchange needs of its sender. */
export interface ExchangeHost {
  readonly maxResponseBytes: number;
  readonly maxHeaderBytes: number;
  /** The exchange has ended: its deadline need not be watched any more. */
  ended(exchange: Exchange): void;
}

type Controller = Dispatcher.DispatchController;

const ABANDONED = new DeliveryFailure(unreachable('reset', 'request was given up'));
const MAX_INFORMATIONAL = 64;
/** The most bytes on the wire for each byte of a body. In chunks of one byte it takes six. */
const WIRE_BYTES_PER_BYTE = 8;
/** Bytes that the socket may have read ahead by the time that somebody checks. */
const READ_AHEAD_BYTES = 262_144;
const ENDLESS = unreachable('protocol', 'response is longer than its head and body can be');
const NO_BODY = new Uint8Array(0);
const NO_HEADERS: Readonly<Record<string, string>> = {};

/**
 * One request and its answer: undici's handler, the entry in the deadline wheel, and the making of the outcome.
 *
 * Once there is a status, it decides the outcome. The body is read until its end, the cap or the deadline, whichever comes first. At the cap
 * or the deadline, or if the connection breaks, what has come of it is kept, as `truncated`, and the socket is destroyed.
 *
 * Two kinds of answers become `unreachable` although they have a status: bodies that break the rules of HTTP (chunking), and answers that
 * take far more bytes than their head and body can. The parser counts neither extensions of chunk sizes nor the reason phrase, and would
 * read them for ever.
 */
export class Exchange implements Dispatcher.DispatchHandler, ConnectionAware, WheelEntry {
  deadlineAt = 0;
  wheelSlot = -1;
  wheelIndex = -1;
  connection: Connection | null = null;
  readonly #host: ExchangeHost;
  readonly #pool: OriginPool;
  readonly #timeoutMs: number;
  #onOutcome: ((outcome: Outcome) => void) | null;
  readonly #startedAt = performance.now();
  #dispatching = true;
  /** The object that undici holds as well; null once the request is written. */
  #options: Dispatcher.DispatchOptions | null = null;
  #controller: Controller | null = null;
  #socket: Socket | null = null;
  #readBefore = 0;
  #dnsMs: number | null = null;
  #connectMs: number | null = null;
  #firstByteMs: number | null = null;
  #informational = 0;
  #status = 0;
  #headers: Readonly<Record<string, string>> = NO_HEADERS;
  #body: Buffer | null = null;
  #bodyBytes = 0;

  constructor(host: ExchangeHost, pool: OriginPool, timeoutMs: number, onOutcome: (outcome: Outcome) => void) {
    this.#host = host;
    this.#pool = pool;
    this.#timeoutMs = timeoutMs;
    this.#onOutcome = onOutcome;
    pool.busy++;
  }

  /** Hands the request to undici. An outcome that comes before this returns is reported in a microtask. */
  dispatch(options: Dispatcher.DispatchOptions): void {
    this.#options = options;
    if (this.#isPoolFull) this.#pool.unclaimed.giveUpOne();
    this.#pool.pool.dispatch(options, this);
    this.#dispatching = false;
  }

  get isOver(): boolean {
    return this.#onOutcome === null;
  }

  /** Gives up without an outcome. */
  abandon(): void {
    this.#onOutcome = null;
    this.#host.ended(this);
    this.#letGo()?.dial.giveUp();
    this.#controller?.abort(ABANDONED);
  }

  onDeadline(): void {
    if (this.#status !== 0) this.#answer(true);
    else this.#fail(this.#lateness());
    this.#controller?.abort(ABANDONED);
  }

  onTick(): void {
    if (!this.#isEndless()) return;
    this.#fail(ENDLESS);
    this.#controller?.abort(ABANDONED);
  }

  onRequestStart(controller: Controller): void {
    const { connection } = this;
    const opened = connection?.fresh === true;
    if (connection !== null) connection.fresh = false;
    // Thrown rather than aborted: an abort would destroy the socket, which nothing was written to.
    if (this.#onOutcome === null) throw ABANDONED;
    this.#controller = controller;
    this.#options = null;
    if (connection !== null) {
      this.#socket = connection.socket;
      this.#readBefore = connection.readBytes;
    }
    if (!opened) return;
    this.#dnsMs = connection.dnsMs;
    this.#connectMs = connection.connectMs;
  }

  onResponseStarted(): void {
    this.#firstByteMs ??= performance.now() - this.#startedAt;
  }

  onResponseStart(
    controller: Controller,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (this.#onOutcome === null) return;
    if (status < 200) {
      const flood = ++this.#informational > MAX_INFORMATIONAL;
      if (status >= 100 && !flood) return;
      this.#fail(
        unreachable('protocol', flood ? 'response is an endless row of 1xx' : `response has the status ${status}`),
      );
      controller.abort(ABANDONED);
      return;
    }
    this.#status = status;
    this.#headers = joinHeaders(headers);
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.#onOutcome === null) return;
    const room = this.#host.maxResponseBytes - this.#bodyBytes;
    if (this.#body === null && chunk.length <= room) this.#body = chunk;
    else this.#append(chunk.length <= room ? chunk : chunk.subarray(0, room));
    this.#bodyBytes += Math.min(chunk.length, room);
    if (chunk.length <= room) return;
    this.#respond(true);
    controller.abort(ABANDONED);
  }

  onResponseEnd(): void {
    this.#pool.busy--;
    if (this.#onOutcome !== null) this.#answer(false);
    if (this.connection !== null && this.#socket !== null) this.connection.readBytes = this.#socket.bytesRead;
  }

  onResponseError(_controller: Controller | null, error: Error): void {
    this.#pool.busy--;
    if (this.#onOutcome === null) return;
    if (this.#controller === null) this.#dnsMs = this.connection?.dnsMs ?? null;
    if (this.#status !== 0 && isPrematureEnd(error)) this.#answer(true);
    else this.#fail(heardInTunnel(classify(error), this.#socket, this.#readBefore));
  }

  /** From the second chunk on, all are copied into one buffer of full size: otherwise a body that drips byte by byte would cost a buffer per byte. */
  #append(chunk: Buffer): void {
    if (this.#body === null || this.#body.length < this.#host.maxResponseBytes) {
      const whole = Buffer.allocUnsafe(this.#host.maxResponseBytes);
      this.#body?.copy(whole);
      this.#body = whole;
    }
    chunk.copy(this.#body, this.#bodyBytes);
  }

  #answer(truncated: boolean): void {
    if (this.#isEndless()) this.#fail(ENDLESS);
    else this.#respond(truncated);
  }

  /** Counts the bytes that the socket gave: with TLS, decrypted ones. */
  #isEndless(): boolean {
    if (this.#socket === null) return false;
    const { maxHeaderBytes, maxResponseBytes } = this.#host;
    const heads = (1 + this.#informational) * maxHeaderBytes;
    const most = heads + maxResponseBytes * WIRE_BYTES_PER_BYTE + READ_AHEAD_BYTES;
    return this.#socket.bytesRead - this.#readBefore > most;
  }

  #respond(truncated: boolean): void {
    const body =
      this.#body === null
        ? NO_BODY
        : this.#bodyBytes < this.#body.length
          ? this.#body.subarray(0, this.#bodyBytes)
          : this.#body;
    const response: ReceivedResponse = { status: this.#status, headers: this.#headers, body, truncated };
    const kind = this.#status >= 200 && this.#status <= 299 ? 'delivered' : 'rejected';
    this.#report({ kind, response, timing: this.#timing() });
  }

  #fail(failure: Failure): void {
    const timing = this.#timing();
    this.#report(
      failure.kind === 'unreachable' && this.#wasConnected
        ? { ...failure, wasConnected: true, timing }
        : { ...failure, timing },
    );
  }

  /** A request that waited for a connection to become free counts as connected: the pool is connected to its receiver. */
  get #wasConnected(): boolean {
    return this.#controller !== null || (this.connection === null && this.#pool.pool.stats.connected > 0);
  }

  #timing(): AttemptTiming {
    return {
      dnsMs: this.#dnsMs,
      connectMs: this.#connectMs,
      firstByteMs: this.#firstByteMs,
      totalMs: performance.now() - this.#startedAt,
    };
  }

  /** Whether somebody waits for a connection, this request included. */
  get #isPoolFull(): boolean {
    return this.#pool.busy > this.#pool.maxConnections;
  }

  /**
   * Lets go of a request that is not written yet. It stays in undici's queue until its turn comes, but without headers and body. Only if a
   * connection is being opened for it, undici keeps its body.
   * @returns that connection, and the bytes of the body; null if there is none
   */
  #letGo(): { readonly dial: Dialling; readonly bytes: number } | null {
    if (this.#options === null) return null;
    const bytes = (this.#options.body as Uint8Array | null)?.length ?? 0;
    const dial = this.connection?.dial ?? null;
    this.#options.body = null;
    this.#options.headers = null;
    this.#options = null;
    return dial && { dial, bytes };
  }

  /** Lets the connection be opened for the next request; if one waits for a place in the pool, gives it up in its favour. */
  #leave(left: { readonly dial: Dialling; readonly bytes: number } | null): void {
    if (left === null) return;
    if (this.#isPoolFull) left.dial.giveUp();
    else this.#pool.unclaimed.add(left.dial, left.bytes);
  }

  #report(outcome: Outcome): void {
    const onOutcome = this.#onOutcome!;
    this.#onOutcome = null;
    this.#body = null;
    this.#host.ended(this);
    this.#leave(this.#letGo());
    if (this.#dispatching) {
      queueMicrotask(() => onOutcome(outcome));
      return;
    }
    try {
      onOutcome(outcome);
    } catch (error) {
      // undici would swallow the error, but a callback that throws is a bug that must be seen.
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  #lateness(): Failure {
    const seconds = this.#timeoutMs / 1000;
    if (this.#controller !== null) return unreachable('timeout', `no response within ${seconds} s`);
    if (this.connection === null)
      return unreachable('timeout', `no connection to this receiver became free within ${seconds} s`);
    const { dial } = this.connection;
    if (dial !== null && dial.decidedFailure !== null) return dial.decidedFailure;
    const detail = `no connection within ${seconds} s`;
    return dial?.isBeforeProxy === true ? ours(detail) : unreachable('timeout', detail);
  }
}

/** undici gives names in lower case, and a list where a header came more than once. */
function joinHeaders(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  for (const name in headers) {
    const value = headers[name];
    if (typeof value !== 'string') headers[name] = value === undefined ? '' : value.join(', ');
  }
  return headers as Record<string, string>;
}
