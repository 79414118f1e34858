import { type Dispatcher, Pool } from 'undici';
import type { ClosedLoad, LoadCommand, LoadCounts, LoadMessage, LoadSetup } from './load-protocol.ts';
import { monotonicMs } from './monotonic-ms.ts';
import { eventBody, type Plan } from './plan.ts';

/** The producer of a run, in a process of its own. Every post is repeated until it is accepted. It ends when its parent does. */

const REPEAT_MS = 100;
const TICK_MS = 1;
const CONNECTIONS = 128;
const MAX_TIMES = 5_000_000;

let plan: Plan;
let pool: Pool;
let headers: string[];
let next = 0;
let underWay = 0;
let accepted = 0;
let requests = 0;
let repeated = 0;
let delivered = 0;
const refused: string[] = [];
let intendedAt = new Float64Array(1 << 16);
let acceptedAt = new Float64Array(1 << 16);
let isStopping = true;
/** Counts the loads, so that the timer of a former one knows that it is over. */
let loads = 0;
let pump: () => void = () => {};

function setUp(setup: LoadSetup): void {
  ({ plan } = setup);
  pool = new Pool(setup.baseUrl, { connections: CONNECTIONS, pipelining: 1, bodyTimeout: 0, headersTimeout: 30_000 });
  headers = ['authorization', `Bearer ${setup.operatorKey}`, 'content-type', 'application/json'];
  say({ kind: 'ready' });
}

/** One request and its repetitions. */
class Post implements Dispatcher.DispatchHandler {
  readonly #from: number;
  readonly #size: number;
  readonly #body: string;
  #status = 0;
  #answer = '';

  constructor(from: number, size: number) {
    this.#from = from;
    this.#size = size;
    this.#body = size === 1 ? eventBody(plan, from) : batchBody(from, size);
    underWay++;
    this.send();
  }

  send(): void {
    requests++;
    pool.dispatch({ path: '/v1/events', method: 'POST', headers, body: this.#body }, this);
  }

  onRequestStart(): void {}

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    this.#status = status;
    this.#answer = '';
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#status !== 202) this.#answer += chunk.toString();
  }

  onResponseEnd(): void {
    if (this.#status === 202) this.#accept();
    else if (this.#status === 429 || this.#status === 503) this.#repeat();
    else this.#refuse(`${this.#status} ${this.#answer.slice(0, 300)}`);
  }

  onResponseError(): void {
    this.#repeat();
  }

  #accept(): void {
    accepted += this.#size;
    const now = monotonicMs();
    for (let n = this.#from; n < Math.min(this.#from + this.#size, MAX_TIMES); n++) acceptedAt[n] = now;
    this.#end();
  }

  #repeat(): void {
    repeated++;
    setTimeout(() => this.send(), REPEAT_MS);
  }

  #refuse(reason: string): void {
    if (refused.length < 10) refused.push(reason);
    this.#end();
  }

  #end(): void {
    underWay--;
    if (isStopping && underWay === 0) stopped();
    else pump();
  }
}

function batchBody(from: number, size: number): string {
  let text = `[${eventBody(plan, from)}`;
  for (let n = from + 1; n < from + size; n++) text += `,${eventBody(plan, n)}`;
  return `${text}]`;
}

function post(size: number, intendedMs: number): void {
  const from = next;
  next += size;
  if (next > intendedAt.length && intendedAt.length < MAX_TIMES) {
    intendedAt = doubled(intendedAt);
    acceptedAt = doubled(acceptedAt);
  }
  for (let n = from; n < Math.min(next, MAX_TIMES); n++) intendedAt[n] = intendedMs;
  new Post(from, size);
}

function doubled(from: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const to = new Float64Array(from.length * 2);
  to.set(from);
  return to;
}

function runClosed({ batch, postsAtOnce, maxBacklog, events = Number.POSITIVE_INFINITY }: ClosedLoad): void {
  const end = next + events;
  begin();
  pump = () => {
    while (!isStopping && underWay < postsAtOnce && next * plan.fanOut - delivered < maxBacklog) {
      if (next >= end) return stop();
      post(Math.min(batch, end - next), monotonicMs());
    }
  };
  pump();
}

function runOpen(eventsPerSecond: number): void {
  const startedAt = monotonicMs();
  let sent = 0;
  const load = begin();
  const tick = () => {
    if (isStopping || load !== loads) return;
    const due = Math.floor(((monotonicMs() - startedAt) * eventsPerSecond) / 1_000);
    for (; sent < due; sent++) post(1, startedAt + (sent * 1_000) / eventsPerSecond);
    setTimeout(tick, TICK_MS);
  };
  tick();
}

function begin(): number {
  isStopping = false;
  pump = () => {};
  return ++loads;
}

function stop(): void {
  isStopping = true;
  pump = () => {};
  if (underWay === 0) stopped();
}

function stopped(): void {
  say({ kind: 'stopped', counts: counts() });
}

function counts(): LoadCounts {
  return { accepted, requests, repeated, refused };
}

function say(message: LoadMessage): void {
  process.send?.(message);
}

process.on('message', (command: LoadCommand) => {
  switch (command.kind) {
    case 'setup':
      return setUp(command);
    case 'closed':
      return runClosed(command);
    case 'open':
      return runOpen(command.eventsPerSecond);
    case 'delivered':
      delivered = command.deliveries;
      return pump();
    case 'tell':
      return say({ kind: 'counts', counts: counts() });
    case 'stop':
      return stop();
    case 'times':
      return say({ kind: 'times', intended: intendedAt.slice(0, next), accepted: acceptedAt.slice(0, next) });
  }
});
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit(0));
