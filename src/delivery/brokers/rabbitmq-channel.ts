import type { Channel, ReturnedMessage } from 'rabbitmq-client';
import type { RabbitmqMessage } from '../prepare.ts';
import { classifyRabbitmq } from './classify-rabbitmq.ts';
import type { BrokerReport } from './shipment.ts';

/** Errors that speak of the exchange, and so of everything that was sent to it by this channel. */
const OF_THE_EXCHANGE = new Set(['NOT_FOUND', 'ACCESS_REFUSED']);
const MAX_SHORT_STRING = 255;

/** What is remembered of a message until the broker answers, which it may never do: nothing that is large. */
interface Awaited {
  readonly key: string;
  readonly bytes: number;
  readonly receipt: Readonly<Record<string, string>>;
  /** Why the broker gave it back; null as long as it has not. */
  returned: string | null;
}

/**
 * What goes to one exchange: a channel of its own, with confirms, because the broker answers a fault by closing the channel, and what else
 * is under way on it must not be taken for the culprit.
 */
export class RabbitmqChannel {
  readonly #channel: Channel;
  readonly #awaited = new Map<string, Awaited>();
  readonly #onAnswer: () => void;
  /** Why the broker closed the channel. */
  #failure: Error | null = null;

  constructor(channel: Channel, onAnswer: () => void) {
    this.#channel = channel;
    this.#onAnswer = onAnswer;
    channel.on('basic.return', (message: ReturnedMessage) => this.#return(message));
    channel.on('error', (error: Error) => {
      this.#failure ??= error;
    });
  }

  get isActive(): boolean {
    return this.#channel.active;
  }

  close(): void {
    void this.#channel.close().catch(() => {});
  }

  publish(message: RabbitmqMessage): Promise<BrokerReport> {
    const { routingKey, destination, body } = message;
    const headers = Object.fromEntries(pairsOf(message.headers));
    const problem = problemOf(routingKey, headers);
    if (problem !== null) return Promise.resolve(problem);
    const receipt = { exchange: destination.exchange, 'routing-key': routingKey };
    const awaited: Awaited = { key: awaitedKey(headers), bytes: body.length, receipt, returned: null };
    this.#awaited.set(awaited.key, awaited);
    return this.#report(awaited, this.#channel.basicPublish(envelopeOf(message, headers), Buffer.from(body)));
  }

  /** Without the message: what waits here for ever must not hold it. */
  async #report(awaited: Awaited, confirm: Promise<void>): Promise<BrokerReport> {
    try {
      await confirm;
      this.#onAnswer();
      // The client tells of a message that was given back one turn after its confirm.
      await nextTurn();
      if (awaited.returned !== null) return { kind: 'rejected', code: 'NO_ROUTE', detail: awaited.returned };
      return { kind: 'delivered', receipt: awaited.receipt };
    } catch (error) {
      return await this.#failureOf(error as Error, awaited.bytes);
    } finally {
      this.#awaited.delete(awaited.key);
    }
  }

  /** The client gives the broker's reason to the first message under way, whichever it was for, and none to the others. */
  async #failureOf(error: Error, bytes: number): Promise<BrokerReport> {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'NACK') this.#onAnswer();
    if (error.name === 'AMQPChannelError' && code !== 'CH_CLOSE') this.#failure ??= error;
    if (code === 'CH_CLOSE') await nextTurn();
    const failure = this.#failure;
    if (failure === null) return classifyRabbitmq(error);
    this.#onAnswer();
    if (OF_THE_EXCHANGE.has((failure as NodeJS.ErrnoException).code ?? '')) return classifyRabbitmq(failure);
    const size = /message size (\d+)/.exec(failure.message)?.[1];
    const isCulprit = size === undefined ? error === failure : Number(size) === bytes;
    return isCulprit ? classifyRabbitmq(failure) : classifyRabbitmq(Object.assign(new Error(), CLOSED));
  }

  #return({ replyText, headers }: ReturnedMessage): void {
    const awaited = this.#awaited.get(awaitedKey(headers ?? {}));
    if (awaited !== undefined)
      awaited.returned = `NO_ROUTE: no queue is bound for the routing key (${String(replyText).slice(0, 100)})`;
  }
}

const CLOSED = { name: 'AMQPChannelError', code: 'CH_CLOSE' };

function awaitedKey(headers: Readonly<Record<string, unknown>>): string {
  return `${headers['posthorn-delivery-id']} ${headers['posthorn-attempt']}`;
}

function envelopeOf({ destination, routingKey }: RabbitmqMessage, headers: Readonly<Record<string, string>>) {
  return {
    exchange: destination.exchange,
    routingKey,
    mandatory: true,
    durable: true,
    appId: 'posthorn',
    contentType: headers['content-type'] ?? 'application/json',
    messageId: headers['webhook-id'] ?? '',
    timestamp: Number(headers['webhook-timestamp']),
    headers,
  };
}

/** What AMQP cannot carry: the client would close the channel over it. */
function problemOf(routingKey: string, headers: Readonly<Record<string, string>>): BrokerReport | null {
  if (Buffer.byteLength(routingKey) > MAX_SHORT_STRING)
    return tooLong('ROUTING_KEY_TOO_LONG', 'the routing key is longer than 255 bytes');
  const names = [...Object.keys(headers), headers['content-type'] ?? '', headers['webhook-id'] ?? ''];
  if (names.some((name) => Buffer.byteLength(name) > MAX_SHORT_STRING))
    return tooLong('HEADER_TOO_LONG', 'a header name, or the event id, is longer than 255 bytes');
  return null;
}

function tooLong(code: string, detail: string): BrokerReport {
  return { kind: 'rejected', code, detail: `${code}: ${detail}` };
}

function pairsOf(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, at) => [flat[2 * at]!, flat[2 * at + 1]!]);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
