import type { Channel } from 'rabbitmq-client';

const INTERVAL_MS = 3_000;

/** Asks every few seconds how many messages wait in a queue: the lag. */
export class QueueWatch {
  /** Resolves, with the reason, when the queue cannot be asked any more: it was deleted, or the channel has ended. */
  readonly broken: Promise<Error>;
  readonly #channel: Channel;
  readonly #queue: string;
  readonly #onReady: (messages: number) => void;
  readonly #break: (error: Error) => void;
  #timer: NodeJS.Timeout | undefined;
  #asking: Promise<void>;
  #isStopped = false;

  constructor(channel: Channel, queue: string, onReady: (messages: number) => void) {
    this.#channel = channel;
    this.#queue = queue;
    this.#onReady = onReady;
    const { promise, resolve } = Promise.withResolvers<Error>();
    this.broken = promise;
    this.#break = resolve;
    // What ended the connection, if anything did, is known a moment later and says more.
    channel.on('close', () => setImmediate(resolve, new Error('The broker closed the channel.')));
    this.#asking = this.#ask();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    void this.#channel.close();
    await this.#asking;
  }

  async #ask(): Promise<void> {
    try {
      const { messageCount } = await this.#channel.queueDeclare({ queue: this.#queue, passive: true });
      if (this.#isStopped) return;
      this.#onReady(messageCount);
      this.#timer = setTimeout(() => {
        this.#asking = this.#ask();
      }, INTERVAL_MS);
    } catch (error) {
      this.#break(error as Error);
    }
  }
}
