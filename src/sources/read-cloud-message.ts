import { readBinary } from '../cloudevents/read-binary.ts';
import { readStructured } from '../cloudevents/read-structured.ts';
import { Refusal } from '../domain/errors.ts';
import type { RawEvent } from '../ingest/accept.ts';
import { decodeText, parseEvents } from '../ingest/json-text.ts';
import { readCloudEvent } from '../ingest/read-cloud-event.ts';
import { refusalFor } from '../ingest/rejection.ts';
import { boundedPart, longestPart } from './bounded-part.ts';
import type { IncomingMessage } from './intake.ts';

/** What attributes are called among headers: Kafka's binding (kafka-protocol-binding.md §3.2.3) and AMQP's (amqp-protocol-binding.md §3.1.3). */
const PREFIX = /^(?:ce_|cloudEvents[:_])/;
const STRUCTURED = /^application\/cloudevents(?:\+json)?\s*(?:;|$)/i;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads a message as a CloudEvent: structured when its content type says so, binary otherwise.
 * @param tenantExtension the extension that names the tenant, also where the source says whose it is: another is no event of it
 * @throws Refusal when it is not even JSON, surely too large, or in a form that nobody reads here
 */
export function readCloudMessage(message: IncomingMessage, tenantExtension: string, maxEventBytes: number): RawEvent {
  const most = longestPart(maxEventBytes);
  const contentType = textOf(message.headers.get('content-type'), most, 'content-type');
  if (contentType !== undefined && STRUCTURED.test(contentType)) {
    const text = structuredText(boundedPart(message.body, most, 'body'), maxEventBytes);
    return readCloudEvent(readStructured(text), text, { tenantExtension });
  }
  if (contentType !== undefined && /^application\/cloudevents/i.test(contentType)) {
    throw new Refusal(
      415,
      'unsupported_media_type',
      'Of structured CloudEvents the JSON format is read, one event a message.',
    );
  }
  const attributes = [...message.headers].flatMap(([name, value]) =>
    PREFIX.test(name) ? [[name.replace(PREFIX, ''), textOf(value, most, name)] as const] : [],
  );
  const body = boundedPart(message.body, most, 'body');
  const result = readBinary({ attributes, contentType, body });
  return readCloudEvent(result, Buffer.from(body).toString('latin1'), { tenantExtension });
}

/** @throws Refusal */
function structuredText(body: Uint8Array, maxEventBytes: number): string {
  const limits = { maxEvents: 1, maxEventBytes };
  const form = { mayBeArray: false, isNative: false, tellPlace: false };
  const { text, rejected } = parseEvents(decodeText(body), limits, form);
  const [part] = rejected.values();
  if (part !== undefined) throw refusalFor(new Map([[0, part.rejection]]), false);
  return text;
}

function textOf(bytes: Uint8Array | undefined, most: number, name: string): string | undefined {
  if (bytes === undefined) return undefined;
  boundedPart(bytes, most, `header:${name}`);
  try {
    return decoder.decode(bytes);
  } catch {
    throw new Refusal(422, 'invalid_event', `The header ${name} is not UTF-8.`, {
      faults: [{ path: name, message: 'not UTF-8' }],
    });
  }
}
