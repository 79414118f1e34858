import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import { Refusal } from '../domain/errors.ts';
import { ClientConnection, sayClose } from './client-connection.ts';
import { ConnectionRoom } from './connection-room.ts';
import { problemOf } from './problem.ts';
import { newRequestId } from './request-id.ts';

/** The port or address cannot be listened on; `message` says which, why, and what to do. */
export class ListenError extends Error {
  constructor(host: string, port: number, code: string) {
    const reasons: Record<string, string> = {
      EADDRINUSE: `Port ${port} on ${host} is taken by another program. Choose another with PORT=<number>, or PORT=0 for any free one.`,
      EACCES: `Port ${port} on ${host} may not be opened by this user. Choose one above 1023 with PORT=<number>.`,
      EADDRNOTAVAIL: `This machine has no address ${host}. Choose one with HOST=<address>.`,
    };
    super(reasons[code] ?? `Cannot listen on ${host}, port ${port}: ${code}.`);
    this.name = 'ListenError';
  }
}

const MAX_HEADER_BYTES = 16_384;
/** How long a stopping server goes on accepting connections that were on their way, in ms. */
const ACCEPT_MS = 100;
/**
 * How long a stopping server keeps idle connections, in ms, but no longer than half of its deadline. A client that is about to use one gets
 * its answer, which tells it to use the connection no more. Without that a request on its way would meet a reset.
 */
const IDLE_GRACE_MS = 2_000;
/** How long nothing must have passed over a connection before a stopping server takes it for an idle one, in ms. */
const SILENT_MS = 500;
const SWEEP_MS = 50;
/** How often it is checked that clients do their part, in ms. */
const LOOK_MS = 1_000;
const LATE = 'ERR_HTTP_REQUEST_TIMEOUT';

/** The HTTP listener. It is opened before anything else, so that a taken port is found at once. It answers 503 until it is given an app. */
export class HttpServer {
  readonly #server: Server;
  #listener: RequestListener = answerStarting;
  #isStopping = false;
  /** Connections taken so far. */
  #accepted = 0;
  readonly #open: ConnectionRoom;
  readonly #connections = new WeakMap<Socket, ClientConnection>();
  #look: NodeJS.Timeout | undefined;

  constructor(maxConnections = Number.POSITIVE_INFINITY) {
    this.#open = new ConnectionRoom(maxConnections);
    this.#server = createServer(
      // Node would refuse a request without `Host` by itself, with an empty answer.
      { maxHeaderSize: MAX_HEADER_BYTES, connectionsCheckingInterval: 1_000, requireHostHeader: false },
      (request, response) => this.#take(request, response, this.#answer),
    );
    // Without this Node would ask the client for its body at once, even if the request is then refused unread: see `askForBody`.
    this.#server.on('checkContinue', (request, response) => this.#take(request, response, this.#answer));
    this.#server.on('checkExpectation', (request, response) => this.#take(request, response, refuser(UNMET)));
    this.#server.on('connection', (socket) => {
      this.#accepted++;
      const connection = new ClientConnection(socket);
      this.#connections.set(socket, connection);
      this.#open.add(connection);
    });
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
      if (error.code === LATE && this.#connections.get(socket)?.excuse() === true) return;
      this.#refuse(error, socket);
    });
    // A client that sends a byte a second holds a socket for no longer than this.
    this.#server.headersTimeout = 5_000;
    this.#server.requestTimeout = 30_000;
    this.#server.keepAliveTimeout = 65_000;
    this.#server.maxRequestsPerSocket = 0;
  }

  #take(request: IncomingMessage, response: ServerResponse, handle: RequestListener): void {
    this.#connections.get(request.socket)!.take(request, response, handle);
  }

  readonly #answer: RequestListener = (request, response) => {
    if (this.#isStopping) sayClose(response);
    const refusal = refusalOfHead(request);
    const listener = refusal === null ? this.#listener : refuser(refusal);
    listener(request, response);
  };

  /** Answers what Node's parser refuses, which reaches no route, and closes. If another answer is under way, nothing may be written before it or into it. */
  #refuse(error: { readonly code?: string | undefined }, socket: Socket): void {
    const isAnswering = this.#connections.get(socket)?.isAnswering === true;
    if (socket.writable && error.code !== 'ECONNRESET' && !isAnswering) socket.write(answerOf(error));
    socket.destroy();
  }

  /** @throws ListenError */
  async listen(host: string, port: number): Promise<AddressInfo> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new ListenError(host, port, error.code ?? error.message)),
    );
    this.#server.listen(port, host, resolve);
    await promise;
    this.#look = setInterval(() => this.lookAtClients(), LOOK_MS).unref();
    return this.#server.address() as AddressInfo;
  }

  serve(listener: RequestListener): void {
    this.#listener = listener;
  }

  get connections(): { readonly open: number; readonly cut: number } {
    return this.#open;
  }

  /** Closes the connections of clients that do not do their part. Called every second once the server listens. */
  lookAtClients(): void {
    for (const connection of this.#open) {
      const found = connection.look();
      if (found === 'stalled') connection.socket.destroy();
      if (found === 'late') this.#refuse({ code: LATE }, connection.socket);
    }
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /**
   * From now on every answer says `connection: close`. No new connection is accepted, after a moment for those on their way. Idle ones are kept
   * for a little. Requests under way may finish until the deadline; then what is left is cut.
   */
  async stop(deadlineMs: number): Promise<void> {
    this.#isStopping = true;
    for (const { underWay } of this.#open) if (underWay !== null) sayClose(underWay);
    const idleFrom = performance.now() + Math.min(IDLE_GRACE_MS, deadlineMs / 2);
    const cut = setTimeout(() => this.#server.closeAllConnections(), deadlineMs);
    // The system may have connections ready that this process has not accepted yet. To close at once would reset them.
    await new Promise((resolve) => setTimeout(resolve, Math.min(ACCEPT_MS, deadlineMs)));
    await this.#untilNobodyWaits(performance.now() + deadlineMs / 2);
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    // The `close` of an HTTP server would close idle connections at once; that of a net server does not.
    NetServer.prototype.close.call(this.#server, () => resolve());
    const sweep = setInterval(async () => {
      if (performance.now() < idleFrom) return;
      await afterPoll();
      this.#closeIdle();
    }, SWEEP_MS);
    await closed;
    clearInterval(sweep);
    clearInterval(this.#look);
    clearTimeout(cut);
  }

  /** Accepts what the system holds ready, one connection in a turn of the event loop: the rest is reset when the listener closes. */
  async #untilNobodyWaits(until: number): Promise<void> {
    let before: number;
    do {
      before = this.#accepted;
      await afterPoll();
    } while (this.#accepted !== before && performance.now() < until);
  }

  /**
   * Closes idle connections. Node's own `closeIdleConnections` cuts answers that are being sent. It also takes a connection on which nothing
   * ever came for a busy one, and browsers and balancers open such ones in advance. A connection that was opened just now is kept: its request
   * may be on the way.
   */
  #closeIdle(): void {
    for (const connection of this.#open) if (connection.isIdle(SILENT_MS)) connection.socket.destroy();
  }
}

const STARTING = new Refusal(503, 'starting', 'Posthorn is starting. Try again.', { retryAfterSeconds: 1 });
/** RFC 9112, section 3.2. */
const NO_HOST = new Refusal(
  400,
  'invalid_request',
  'A request of HTTP/1.1 has a header `Host`: see RFC 9112, section 3.2.',
);
const TWO_HOSTS = new Refusal(400, 'invalid_request', 'A request has one header `Host`: see RFC 9112, section 3.2.');
const TWO_KEYS = new Refusal(
  400,
  'invalid_request',
  'The header `Idempotency-Key` is given more than once, by a proxy maybe: which one is meant cannot be told.',
);
/** RFC 9112, section 3.2: a target has no fragment. We would serve what stands before it, while a proxy may go by the whole. */
const FRAGMENT = new Refusal(400, 'invalid_request', 'The request target has a fragment (`#`): send it as %23.');
/** RFC 9112, section 6.1. */
const UNKNOWN_CODING = new Refusal(
  415,
  'unsupported_encoding',
  'Of `Transfer-Encoding` only `chunked` is known: see RFC 9112, section 6.1.',
);
/** RFC 9110, section 10.1.1. */
const UNMET = new Refusal(417, 'expectation_failed', 'Of `Expect` only `100-continue` is known.');

/** Finds what is wrong with the head of any request and Node lets pass. Of two headers with one name Node keeps the first, or joins them. */
function refusalOfHead({ url, httpVersion, headers, rawHeaders }: IncomingMessage): Refusal | null {
  const { host, 'transfer-encoding': coding, 'idempotency-key': key } = headers;
  if (url!.includes('#')) return FRAGMENT;
  if (host === undefined) return httpVersion === '1.1' ? NO_HOST : null;
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') return UNKNOWN_CODING;
  if (countOf('host', rawHeaders) > 1) return TWO_HOSTS;
  return key !== undefined && countOf('idempotency-key', rawHeaders) > 1 ? TWO_KEYS : null;
}

/** @param rawHeaders names and values in turn. Lengths are compared first, because this is done for every request */
function countOf(name: string, rawHeaders: readonly string[]): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const given = rawHeaders[i]!;
    if (given.length === name.length && given.toLowerCase() === name) count++;
  }
  return count;
}

/** Answers with a problem document and closes the connection: a body that may follow is not read. */
function refuser(refusal: Refusal): RequestListener {
  return (_request, response) => {
    sayClose(response);
    answerProblem(refusal, response);
  };
}

function answerProblem(refusal: Refusal, response: ServerResponse): void {
  const requestId = newRequestId();
  response.statusCode = refusal.status;
  response.setHeader('x-request-id', requestId).setHeader('content-type', 'application/problem+json');
  response.end(JSON.stringify(problemOf(refusal, requestId)));
}

/** Answers 503 while the process starts: probes in the form that they have later, all else with a problem document. */
function answerStarting({ url }: IncomingMessage, response: ServerResponse): void {
  const path = url?.split('?')[0];
  response.setHeader('retry-after', String(STARTING.retryAfterSeconds));
  if (path === '/healthz' || path === '/readyz') {
    response.statusCode = STARTING.status;
    response.setHeader('content-type', 'application/json').end('{"status":"starting","problems":["it is starting"]}');
    return;
  }
  answerProblem(STARTING, response);
}

/** Resolves after the event loop has read what has reached this process. In a busy process timers run before that. */
function afterPoll(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** @returns the answer on the wire to what Node's parser refused: a problem document like any other */
function answerOf({ code }: { readonly code?: string | undefined }): string {
  const refusal = refusalOfParser(code);
  const requestId = newRequestId();
  const problem = problemOf(refusal, requestId);
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${problem.title}`,
    `x-request-id: ${requestId}`,
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}

function refusalOfParser(code: string | undefined): Refusal {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new Refusal(
        431,
        'headers_too_large',
        `The request line and headers may have ${MAX_HEADER_BYTES} bytes together.`,
      );
    case 'HPE_INVALID_EOF_STATE':
      return new Refusal(400, 'incomplete_body', 'The connection ended before the request did. Send it again.');
    case LATE:
      return new Refusal(408, 'request_timeout', 'The request did not come in time. Send it again.');
    default:
      return new Refusal(
        400,
        'invalid_request',
        'This is not a request of HTTP/1.1 that can be told apart from others: see RFC 9112.',
      );
  }
}
