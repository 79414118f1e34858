import { setTimeout as delay } from 'node:timers/promises';
import { amqpText } from '../brokers/amqp-text.ts';
import { openRabbitmq, type RabbitmqLink } from '../brokers/rabbitmq-link.ts';
import { rabbitmqOptions } from '../brokers/rabbitmq-options.ts';
import type { RabbitmqSource } from '../config/source-schema.ts';
import { storableText } from '../domain/storable-text.ts';
import { tlsText } from '../domain/tls-text.ts';
import type { Consumer, ConsumerState } from './consumer.ts';
import type { Intake } from './intake.ts';
import { QueuePump } from './queue-pump.ts';
import { QueueWatch } from './queue-watch.ts';
import { declareTopology } from './rabbitmq-topology.ts';

export interface RabbitmqConsumerOptions {
  /** With its secrets. */
  readonly source: RabbitmqSource;
  readonly intake: Intake;
  /** Bytes of a body that are held in memory, at most. */
  readonly keepBytes: number;
}

const DRAIN_MS = 3_000;
/** After this a broker that does not answer is waited for no more, once the end was asked for. */
const END_MS = 5_000;
const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = 15_000;

/** Consumes one queue: connects, declares, takes in, and begins again from the start after whatever ends it. */
export class RabbitmqConsumer implements Consumer {
  readonly #options: RabbitmqConsumerOptions;
  #kind: Exclude<ConsumerState['kind'], 'paused'> = 'starting';
  #error: string | null = null;
  #isPaused = false;
  #paused = new AbortController();
  #resumed = Promise.withResolvers<void>();
  #pumps: readonly QueuePump[] = [];
  #ready: number | null = null;
  #failures = 0;
  /** What was given last could not be stored. */
  #isHeld = false;
  #turn = Math.floor(Math.random() * 1_000);

  constructor(options: RabbitmqConsumerOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#session(signal);
      } catch (error) {
        this.#fail(error);
      }
      this.#ready = null;
      if (!signal.aborted) await delay(backoffMs(this.#failures++), undefined, { signal }).catch(() => {});
    }
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#resumed = Promise.withResolvers();
    this.#paused.abort();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#paused = new AbortController();
    this.#resumed.resolve();
  }

  state(): ConsumerState {
    const held = this.#pumps.reduce((sum, pump) => sum + pump.held, 0);
    const messages = this.#ready === null ? null : this.#ready + held;
    const lag = [{ part: this.#options.source.consume.queue.name, messages }];
    return { kind: this.#isPaused ? 'paused' : this.#kind, error: this.#error, lag };
  }

  /** One connection, from its beginning to its end. @throws whatever ended it, unless that was the signal */
  async #session(signal: AbortSignal): Promise<void> {
    const { source } = this.#options;
    const use = { turn: this.#turn++, name: `Posthorn source ${source.name}` };
    const link = await openRabbitmq(rabbitmqOptions(source.connection, use), signal);
    let forced: NodeJS.Timeout | undefined;
    const onAbort = () => {
      forced = setTimeout(() => link.destroy(), END_MS);
    };
    signal.addEventListener('abort', onAbort);
    try {
      const control = await link.channel();
      await declareTopology(control, source);
      const watch = new QueueWatch(control, source.consume.queue.name, (ready) => {
        this.#ready = ready;
      });
      const lost = Promise.race([link.closed, watch.broken]);
      try {
        while (!signal.aborted) {
          if (this.#isPaused) await this.#whilePaused(lost, signal);
          else await this.#consume(link, lost, signal);
        }
      } finally {
        await watch.stop();
      }
    } finally {
      await link.close();
      signal.removeEventListener('abort', onAbort);
      clearTimeout(forced);
    }
  }

  async #whilePaused(lost: Promise<Error>, signal: AbortSignal): Promise<void> {
    this.#error = null;
    await firstOf([this.#resumed.promise, aborted(signal)], [lost]);
  }

  /** Until the signal, or `pause`. */
  async #consume(link: RabbitmqLink, lost: Promise<Error>, signal: AbortSignal): Promise<void> {
    const { promise: stored, resolve: onStored } = Promise.withResolvers<void>();
    // After an end without being able to store, one message finds out whether that is possible again: each that is taken and not
    // acknowledged is nearer to the broker's delivery limit.
    const isTrial = this.#isHeld;
    const stop = AbortSignal.any([signal, this.#paused.signal]);
    const pumps: QueuePump[] = [];
    this.#pumps = pumps;
    try {
      const count = isTrial ? 1 : this.#options.source.consume.consumers;
      for (let each = 0; each < count; each++) pumps.push(await this.#openPump(link, isTrial, onStored));
      if (!isTrial) this.#succeed();
      const broken = pumps.map((pump) => pump.broken);
      await firstOf(isTrial ? [aborted(stop), stored] : [aborted(stop)], [lost, ...broken]);
    } finally {
      await Promise.all(pumps.map((pump) => pump.close(DRAIN_MS)));
      this.#pumps = [];
    }
  }

  #openPump(link: RabbitmqLink, isTrial: boolean, onStored: () => void): Promise<QueuePump> {
    const { source, intake, keepBytes } = this.#options;
    const { queue, prefetch, consumers } = source.consume;
    return QueuePump.open(link, {
      queue: queue.name,
      prefetch: isTrial ? 1 : prefetch,
      isOrdered: consumers === 1,
      isSingleActive: queue.single_active_consumer,
      keepBytes,
      intake,
      onStored: () => {
        this.#isHeld = false;
        this.#succeed();
        onStored();
      },
      onHeld: (error) => {
        this.#isHeld = true;
        this.#kind = 'waiting';
        this.#error = textOf(error);
      },
    });
  }

  #succeed(): void {
    this.#kind = 'running';
    this.#error = null;
    this.#failures = 0;
  }

  #fail(error: unknown): void {
    this.#kind = 'failing';
    this.#error = textOf(error);
  }
}

/** Resolves with the first of `ends`. @throws the first of `failures` */
async function firstOf(ends: readonly Promise<void>[], failures: readonly Promise<Error>[]): Promise<void> {
  const thrown = failures.map(async (failure) => Promise.reject(await failure));
  await Promise.race([...thrown, ...ends]);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

function backoffMs(failures: number): number {
  return Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** failures) * (0.75 + Math.random() / 2);
}

const LONGEST_TEXT = 500;

function textOf(error: unknown): string {
  const {
    name = '',
    code = '',
    message = String(error),
  } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  // Others say all that is to be said themselves: why messages cannot be stored, for one.
  const text = name.startsWith('AMQP') ? amqpText(code, message) : tlsText(message) || code || 'unknown error';
  return storableText(text, LONGEST_TEXT);
}
