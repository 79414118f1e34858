import { setTimeout as delay } from 'node:timers/promises';
import { type Dispatcher, Pool } from 'undici';
import { generateSecret } from '../../../src/signing/generate-secret.ts';
import { signWebhook } from '../../../src/signing/sign-webhook.ts';
import { parseSigningKey } from '../../../src/signing/signing-key.ts';
import type { LimitCommand, LimitMessage } from './limit-protocol.ts';
import { eventBody, eventId, type Plan } from './plan.ts';

/**
 * The limit: one process that does nothing but sign and send requests like those of a delivery, to the same sink.
 * Nothing is fetched, guarded, timed or written down.
 */

const keys = [parseSigningKey(generateSecret('v1'))];

class Loop {
  readonly #pools: readonly Pool[];
  readonly #plan: Plan;
  readonly #body: Buffer;
  #next = 0;
  isOver = false;
  done = 0;
  underWay = 0;

  constructor({ plan, port, pools, connections }: LimitCommand) {
    this.#plan = plan;
    this.#body = Buffer.from(eventBody(plan, 100_000));
    const options = { connections, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 };
    this.#pools = Array.from({ length: pools }, () => new Pool(`http://127.0.0.1:${port}`, options));
  }

  dispatch(): void {
    if (this.isOver) return;
    this.underWay++;
    this.#nextPool().dispatch(this.#request(), new Answer(this));
  }

  async requests(): Promise<void> {
    while (!this.isOver) {
      this.underWay++;
      const { body } = await this.#nextPool().request(this.#request());
      await body.arrayBuffer();
      this.underWay--;
      this.done++;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.destroy()));
  }

  #nextPool(): Pool {
    return this.#pools[this.#next % this.#pools.length]!;
  }

  #request(): Dispatcher.DispatchOptions {
    const n = this.#next++;
    const id = eventId(this.#plan, n);
    const seconds = Math.floor(Date.now() / 1_000);
    const headers = [
      'webhook-id',
      id,
      'webhook-timestamp',
      String(seconds),
      'webhook-signature',
      signWebhook(keys, id, seconds, this.#body),
      'posthorn-delivery-id',
      `dlv_${id}`,
      'posthorn-attempt',
      '1',
      'content-type',
      'application/json',
      'user-agent',
      'Posthorn/0',
    ];
    return { path: `/${n % this.#plan.groups}`, method: 'POST', headers, body: this.#body };
  }
}

class Answer implements Dispatcher.DispatchHandler {
  readonly #loop: Loop;

  constructor(loop: Loop) {
    this.#loop = loop;
  }

  onRequestStart(): void {}
  onResponseStart(): void {}
  onResponseData(): void {}

  onResponseEnd(): void {
    this.#loop.underWay--;
    this.#loop.done++;
    this.#loop.dispatch();
  }

  onResponseError(_controller: unknown, error: Error): void {
    throw error;
  }
}

/** Warm when the last of these windows was hardly cheaper than the one before, or after so many times what was asked for. */
const WINDOW_MS = 500;
const STEADY = 0.95;
const LONGEST = 6;

/** V8 has not compiled the loop yet: a limit that is measured too early is too dear, and whatever is compared with it too cheap. */
async function warmUp(loop: Loop, warmUpMs: number): Promise<void> {
  const until = performance.now() + LONGEST * warmUpMs;
  await delay(warmUpMs);
  let before = await cpuUsPerRequest(loop, WINDOW_MS);
  while (performance.now() < until) {
    const now = await cpuUsPerRequest(loop, WINDOW_MS);
    if (now > STEADY * before) return;
    before = now;
  }
}

async function cpuUsPerRequest(loop: Loop, ms: number): Promise<number> {
  const before = { done: loop.done, cpu: process.cpuUsage() };
  await delay(ms);
  const { user, system } = process.cpuUsage(before.cpu);
  return (user + system) / (loop.done - before.done);
}

async function run(command: LimitCommand): Promise<LimitMessage> {
  const loop = new Loop(command);
  for (let i = 0; i < command.pools * command.connections; i++) {
    if (command.how === 'dispatch') loop.dispatch();
    else void loop.requests();
  }
  await warmUp(loop, command.warmUpMs);
  const before = { done: loop.done, cpu: process.cpuUsage(), at: performance.now() };
  await delay(command.measureMs);
  const { user, system } = process.cpuUsage(before.cpu);
  const requests = loop.done - before.done;
  const seconds = (performance.now() - before.at) / 1_000;
  loop.isOver = true;
  while (loop.underWay > 0) await delay(5);
  await loop.close();
  return { kind: 'done', requestsPerSecond: requests / seconds, cpuUsPerRequest: (user + system) / requests };
}

process.on('message', (command: LimitCommand) => {
  void run(command).then((message) => process.send?.(message));
});
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit(0));
