import { hash } from 'node:crypto';
import type { AsyncMessage } from 'rabbitmq-client';
import { exactHeaders } from '../brokers/exact-headers.ts';
import type { RawMessage } from '../brokers/keep-bodies.ts';
import type { IncomingMessage } from './intake.ts';
import { sentAt } from './sent-at.ts';

export type RabbitmqMessage = Omit<AsyncMessage, 'body' | 'contentType'> & RawMessage;

/** Where a message came in: the queue, and a name of the channel that no other channel has. */
export interface RabbitmqPlace {
  readonly queue: string;
  readonly channel: string;
  /** Whether messages of the queue are in order in this channel, or spread over several. */
  readonly isOrdered: boolean;
}

/**
 * A delivery as the intake takes it. It has no offset: with a message id, it is the same message as every other of the same id, application,
 * exchange, routing key and body (a producer that uses an id again for something else has sent something else); without, it is known only
 * for as long as this channel holds it, so that another try of ours is no second event.
 */
export function toIncoming(message: RabbitmqMessage, { queue, channel, isOrdered }: RabbitmqPlace): IncomingMessage {
  return {
    position: message.messageId ? nameOf(queue, message) : `${queue}/${channel}/${message.deliveryTag}`,
    group: isOrdered ? queue : `${queue}/${channel}`,
    attributes: attributesOf(message, queue),
    key: Buffer.from(message.routingKey),
    ...readHeaders(message),
    body: message.body,
    wholeBytes: message.wholeBytes,
    timestampMs: message.timestamp === undefined ? null : sentAt(message.timestamp * 1000),
  };
}

const LONGEST_NAME = 250;

function nameOf(queue: string, { appId = '', exchange, routingKey, messageId, body }: RabbitmqMessage): string {
  // As JSON, so that no two ways of dividing the same letters are one name.
  const name = `${queue}/${JSON.stringify([exchange, routingKey, appId, messageId, hash('sha256', body, 'base64url')])}`;
  return name.length <= LONGEST_NAME ? name : `${queue.slice(0, 100)}/sha256:${hash('sha256', name, 'hex')}`;
}

/** What AMQP says of it beside headers, body and key. */
function attributesOf(message: RabbitmqMessage, queue: string): ReadonlyMap<string, string> {
  const attributes = {
    queue,
    exchange: message.exchange,
    routing_key: message.routingKey,
    redelivered: String(message.redelivered),
    message_id: message.messageId,
    app_id: message.appId,
    type: message.type,
    correlation_id: message.correlationId,
    reply_to: message.replyTo,
    user_id: message.userId,
    content_type: message.rawContentType,
    content_encoding: message.contentEncoding,
  };
  return new Map(Object.entries(attributes).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** Tables may be nested deeper than there is a stack to write them. That is the message's own fault: whoever gives others along with it goes on. */
function readHeaders(message: RabbitmqMessage): Pick<IncomingMessage, 'headers' | 'unreadable'> {
  try {
    return { headers: headersOf(message) };
  } catch (error) {
    return { headers: new Map(), unreadable: error instanceof Error ? error.message : String(error) };
  }
}

function headersOf(message: RabbitmqMessage): ReadonlyMap<string, Uint8Array> {
  const headers = new Map<string, Uint8Array>();
  const { headerFrame } = message;
  for (const [name, value] of Object.entries(headerFrame ? exactHeaders(headerFrame) : (message.headers ?? {}))) {
    const bytes = bytesOf(CLOUD_EVENT_TIME.test(name) ? timeOf(value) : value);
    if (bytes !== null) headers.set(name, bytes);
  }
  // Where other transports have it.
  const type = bytesOf(message.rawContentType);
  if (type !== null && !headers.has('content-type')) headers.set('content-type', type);
  return headers;
}

const CLOUD_EVENT_TIME = /^(?:ce_|cloudEvents[:_])time$/;

/** The time of a CloudEvent, in AMQP's own type of such (amqp-protocol-binding.md §2.1): of that the client gives the seconds since 1970. */
function timeOf(value: unknown): unknown {
  const ms = typeof value === 'number' || typeof value === 'bigint' ? sentAt(Number(value) * 1000) : null;
  return ms === null ? value : new Date(ms).toISOString();
}

/** A value of an AMQP table as text: what is no text, number or bytes, as JSON. */
function bytesOf(value: unknown): Uint8Array | null {
  if (value === undefined || value === null) return null;
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'object') return Buffer.from(JSON.stringify(value, withDigits));
  return Buffer.from(String(value));
}

/** TypeScript does not know it yet. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

function withDigits(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? rawJSON(String(value)) : value;
}
