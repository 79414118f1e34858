import { setTimeout as delay } from 'node:timers/promises';
import { type Channel, Connection } from 'rabbitmq-client';

export interface SentMessage {
  readonly messageId?: string;
  readonly body: string;
}

const CHUNK = 200;
const CHUNK_MS = 20_000;
const AGAIN_MS = 200;

/**
 * Publishes messages in their order with confirms, and those that were not confirmed again: what a careful producer does. A message may
 * be in the queue twice afterwards, with the same id; none is missing, and the first of each are in order.
 */
export class RabbitmqProducer {
  /** Messages that the broker has confirmed. */
  confirmed = 0;
  /** Chunks that were published again. */
  repeats = 0;
  readonly #url: string;
  #connection: Connection | null = null;
  #channel: Channel | null = null;

  constructor(url: string) {
    this.#url = url;
  }

  async publish(
    to: { readonly exchange: string; readonly routingKey: string },
    messages: readonly SentMessage[],
    /** Waited for before each chunk. */
    slowDown: () => Promise<void> = async () => {},
  ): Promise<void> {
    for (let from = 0; from < messages.length; ) {
      await slowDown();
      const chunk = messages.slice(from, from + CHUNK);
      if (await this.#tryChunk(to, chunk)) {
        from += chunk.length;
        this.confirmed += chunk.length;
      } else {
        this.repeats++;
        this.close();
        await delay(AGAIN_MS);
      }
    }
  }

  close(): void {
    this.#connection?.unsafeDestroy();
    this.#connection = null;
    this.#channel = null;
  }

  async #tryChunk(
    to: { readonly exchange: string; readonly routingKey: string },
    chunk: readonly SentMessage[],
  ): Promise<boolean> {
    const { promise: late, resolve } = Promise.withResolvers<false>();
    const timer = setTimeout(resolve, CHUNK_MS, false);
    try {
      const channel = this.#channel ?? (await this.#open());
      const sent = chunk.map(({ body, ...properties }) =>
        channel.basicPublish({ ...to, ...properties, durable: true, mandatory: true }, Buffer.from(body)),
      );
      return await Promise.race([Promise.all(sent).then(() => true), late]);
    } catch {
      return false;
    } finally {
      clearTimeout(timer);
    }
  }

  async #open(): Promise<Channel> {
    this.#connection = new Connection({ url: this.#url, retryLow: 200, retryHigh: 400, acquireTimeout: 5_000 });
    this.#connection.on('error', () => {});
    const channel = await this.#connection.acquire({ emitErrorsFromChannel: true });
    channel.on('error', () => {});
    await channel.confirmSelect();
    this.#channel = channel;
    return channel;
  }
}
