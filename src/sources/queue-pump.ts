import { randomUUID } from 'node:crypto';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import type { AsyncMessage, Channel } from 'rabbitmq-client';
import type { RabbitmqLink } from '../brokers/rabbitmq-link.ts';
import { Refusal } from '../domain/errors.ts';
import type { Intake } from './intake.ts';
import { type RabbitmqMessage, type RabbitmqPlace, toIncoming } from './rabbitmq-message.ts';

export interface QueuePumpOptions {
  readonly queue: string;
  readonly prefetch: number;
  readonly isOrdered: boolean;
  /** The queue has one consumer at a time, and the next gets what this one leaves. */
  readonly isSingleActive: boolean;
  /** Bytes of a body that are held in memory, at most. */
  readonly keepBytes: number;
  readonly intake: Intake;
  readonly onStored: () => void;
  /** Messages cannot be stored now; they are held and given again. */
  readonly onHeld: (error: unknown) => void;
}

/** How many messages, and bytes, are given to the intake at once. */
const MOST_MESSAGES = 500;
const MOST_BYTES = 4 * 1024 * 1024;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/**
 * One channel's consumer: takes the messages that come into the intake in their order, batch by batch, and acknowledges each batch once it is
 * durable. What cannot be stored is held and given again: handed back to the broker, it would come again at once, in another order, and
 * nearer to the broker's delivery limit. The broker is told to send no more than `prefetch`, so that is all that is ever held.
 */
export class QueuePump {
  /** Resolves, with the reason, when the channel or its consumer has ended without being asked to. */
  readonly broken: Promise<Error>;
  readonly #options: QueuePumpOptions;
  readonly #channel: Channel;
  readonly #place: RabbitmqPlace;
  readonly #held: RabbitmqMessage[] = [];
  /** Nothing more is to be taken. */
  readonly #stop = new AbortController();
  /** Nothing can be acknowledged any more. */
  readonly #end = new AbortController();
  #wake = Promise.withResolvers<void>();
  #consumerTag = '';
  #worked: Promise<void> = Promise.resolve();

  static async open(link: RabbitmqLink, options: QueuePumpOptions): Promise<QueuePump> {
    const pump = new QueuePump(await link.channel(options.keepBytes), options);
    await pump.#consume();
    return pump;
  }

  private constructor(channel: Channel, options: QueuePumpOptions) {
    this.#channel = channel;
    this.#options = options;
    this.#place = { queue: options.queue, channel: randomUUID(), isOrdered: options.isOrdered };
    const { promise, resolve } = Promise.withResolvers<Error>();
    this.broken = promise;
    const end = (error: Error) => {
      this.#stop.abort();
      this.#end.abort();
      this.#wake.resolve();
      // What ended the connection, if anything did, is known a moment later and says more.
      setImmediate(resolve, error);
    };
    channel.on('error', end);
    channel.on('close', () => end(new Error('The broker closed the channel.')));
    channel.on('basic.cancel', () =>
      end(new Error(`The broker ended the consumer: the queue ${options.queue} is gone.`)),
    );
  }

  /** Messages that the broker delivered and that are not acknowledged. */
  get held(): number {
    return this.#held.length;
  }

  /** Takes nothing more, stores what it holds within the time, and gives the rest back to the broker. */
  async close(deadlineMs: number): Promise<void> {
    const timer = setTimeout(() => this.#end.abort(), deadlineMs);
    const ended = new Promise((resolve) => this.#end.signal.addEventListener('abort', resolve, { once: true }));
    if (!this.#end.signal.aborted) await Promise.race([this.#finish(), ended]);
    clearTimeout(timer);
    this.#stop.abort();
    this.#end.abort();
    void this.#channel.close();
  }

  /**
   * Where one consumer is active at a time, cancelling it makes the broker give later messages to the next one at once, before those that are
   * still held here: only the end of the channel hands over in order. There the batch under way is the last.
   */
  async #finish(): Promise<void> {
    if (!this.#options.isSingleActive) await this.#channel.basicCancel(this.#consumerTag).catch(() => {});
    this.#stop.abort();
    this.#wake.resolve();
    await this.#worked;
  }

  async #consume(): Promise<void> {
    const { queue, prefetch } = this.#options;
    await this.#channel.basicQos({ prefetchCount: prefetch });
    this.#worked = this.#work();
    const receive = (message: AsyncMessage) => {
      this.#held.push(message as unknown as RabbitmqMessage);
      this.#wake.resolve();
    };
    const { consumerTag } = await this.#channel.basicConsume({ queue }, receive);
    this.#consumerTag = consumerTag;
  }

  async #work(): Promise<void> {
    let most = MOST_MESSAGES;
    let tries = 0;
    while (await this.#hasMessages()) {
      const batch = this.#next(most);
      const failure = await this.#give(batch);
      if (this.#end.signal.aborted) return;
      if (failure === null) {
        this.#acknowledge(batch);
        [most, tries] = [Math.min(MOST_MESSAGES, most * 2), 0];
      } else {
        this.#options.onHeld(failure);
        most = Math.max(1, Math.floor(batch.length / 2));
        await this.#pause(pauseMs(++tries, failure));
        if (this.#stop.signal.aborted) return;
      }
    }
  }

  /** False once nothing is to be done any more. */
  async #hasMessages(): Promise<boolean> {
    while (this.#held.length === 0 && !this.#stop.signal.aborted && !this.#end.signal.aborted) {
      this.#wake = Promise.withResolvers();
      await this.#wake.promise;
      // Those that came in the same read of the socket go together.
      await turn();
    }
    if (this.#stop.signal.aborted && this.#options.isSingleActive) return false;
    return this.#held.length > 0 && !this.#end.signal.aborted;
  }

  #next(most: number): readonly RabbitmqMessage[] {
    let bytes = 0;
    let count = 0;
    for (const { body } of this.#held.slice(0, most)) {
      bytes += body.length;
      if (count > 0 && bytes > MOST_BYTES) break;
      count++;
    }
    return this.#held.slice(0, count);
  }

  async #give(batch: readonly RabbitmqMessage[]): Promise<unknown> {
    try {
      await this.#options.intake(batch.map((message) => toIncoming(message, this.#place)));
      return null;
    } catch (error) {
      return error ?? new Error('The intake failed.');
    }
  }

  /** All that came before on this channel is durable, too: one frame says so for all. */
  #acknowledge(batch: readonly RabbitmqMessage[]): void {
    this.#channel.basicAck({ deliveryTag: batch.at(-1)!.deliveryTag, multiple: true });
    this.#held.splice(0, batch.length);
    this.#options.onStored();
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#stop.signal }).catch(() => {});
  }
}

function pauseMs(tries: number, failure: unknown): number {
  const asked = failure instanceof Refusal ? (failure.retryAfterSeconds ?? 0) * 1000 : 0;
  const grown = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (tries - 1));
  return Math.min(LONGEST_PAUSE_MS, Math.max(asked, grown)) * (0.75 + Math.random() / 2);
}
