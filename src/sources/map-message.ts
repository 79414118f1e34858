import type { SourceMapping } from '../config/source-schema.ts';
import { Refusal } from '../domain/errors.ts';
import type { RawEvent } from '../ingest/accept.ts';
import { decodeText, parseJson } from '../ingest/json-text.ts';
import { refusalFor } from '../ingest/rejection.ts';
import { sliceEvents } from '../ingest/slice-events.ts';
import { boundedPart, longestPart, longestPicked } from './bounded-part.ts';
import type { IncomingMessage } from './intake.ts';
import { type Values, valuesIn } from './json-pointer.ts';
import { sentAt } from './sent-at.ts';

type DeclaredMapping = Extract<SourceMapping, { format: 'mapped' }>;

/** A message, and what of it was read already. */
interface Reading {
  readonly message: IncomingMessage;
  readonly maxEventBytes: number;
  readonly body: () => Values;
}

const HEAD = ['tenant_id', 'type', 'id', 'version', 'timestamp', 'correlation_id', 'subject'] as const;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Makes an event of a message, field by field. `data` is cut out of the body as it is written there. Fields that are not in the message are
 * left out of the event; `type` and `data` must be.
 * @throws Refusal when the body is not JSON although the mapping looks into it, or what the mapping reads, or comes of it, is too large
 */
export function mapMessage(message: IncomingMessage, mapping: DeclaredMapping, maxEventBytes: number): RawEvent {
  const reading: Reading = { message, maxEventBytes, body: lazily(() => valuesIn(jsonText(message.body))) };
  const head: Record<string, unknown> = {};
  for (const name of HEAD) {
    const from = mapping[name];
    const value = from === undefined ? undefined : textOf(fieldOf(from, reading), name, from);
    if (value !== undefined) head[name] = name === 'timestamp' && from?.startsWith('header:') ? timeOf(value) : value;
  }
  if (head.type === undefined) throw unmapped('type', mapping.type, 'is not there');
  const data = fieldOf(mapping.data, reading);
  if (data === undefined) throw unmapped('data', mapping.data, 'is not there');
  const key = mapping.idempotency_key;
  const idempotency = key === undefined ? undefined : textOf(fieldOf(key, reading), 'idempotency_key', key);
  const metadata = idempotency === undefined ? '' : `,"metadata":${JSON.stringify({ idempotency_key: idempotency })}`;
  const text = `${JSON.stringify(head).slice(0, -1)},"data":${data}${metadata}}`;
  return parsed(text, maxEventBytes);
}

/** What was put together is JSON. @throws Refusal when it is too large, before it is parsed */
function parsed(text: string, maxEventBytes: number): RawEvent {
  const sliced = sliceEvents(text, Number.POSITIVE_INFINITY, { maxEvents: 1, maxEventBytes });
  const part = sliced?.rejected.get(0);
  if (part !== undefined) throw refusalFor(new Map([[0, part.rejection]]), false);
  const slice = sliced?.events[0];
  return { value: JSON.parse(text), text, ...(slice !== undefined && { slice }) };
}

/** The JSON text of what a mapping names; undefined when the message has no such thing. */
function fieldOf(from: string, { message, maxEventBytes, body }: Reading): string | undefined {
  const colon = from.indexOf(':');
  const [kind, rest] = colon < 0 ? [from, ''] : [from.slice(0, colon), from.slice(colon + 1)];
  const most = kind === 'body' && rest !== '' ? longestPicked(maxEventBytes) : longestPart(maxEventBytes);
  switch (kind) {
    case 'body':
      boundedPart(message.body, most, from);
      return body()(rest);
    case 'const':
      return JSON.stringify(rest);
    case 'header':
      return jsonOfBytes(message.headers.get(rest), most, from);
    case 'attribute':
      return JSON.stringify(message.attributes.get(rest));
    case 'key':
      return jsonOfBytes(message.key ?? undefined, most, from);
    case 'text':
      return jsonOfBytes(message.body, most, from);
    case 'base64':
      return JSON.stringify(Buffer.from(boundedPart(message.body, most, from)).toString('base64'));
    default:
      return message.timestampMs === null ? undefined : JSON.stringify(new Date(message.timestampMs).toISOString());
  }
}

function jsonOfBytes(bytes: Uint8Array | undefined, most: number, from: string): string | undefined {
  if (bytes === undefined) return undefined;
  boundedPart(bytes, most, from);
  try {
    return JSON.stringify(decoder.decode(bytes));
  } catch {
    throw new Refusal(422, 'unmapped', `${from} is not UTF-8.`, { faults: [{ path: from, message: 'not UTF-8' }] });
  }
}

/** A field of text: numbers and booleans as they are written, null as if it were not there. */
function textOf(json: string | undefined, name: string, from: string): string | undefined {
  const text = json?.trim();
  if (text === undefined || text === 'null') return undefined;
  if (text.startsWith('"')) return JSON.parse(text) as string;
  if (text.startsWith('{') || text.startsWith('[')) throw unmapped(name, from, 'is no text');
  return text;
}

/** From March 1973 on: what is shorter is a day or a year, not seconds. */
const SECONDS = /^\d{9,12}$/;

/** A header that is a timestamp of AMQP comes as seconds since 1970: as such no event takes it. Anything else is left as it is. */
function timeOf(text: string): string {
  const ms = SECONDS.test(text) ? sentAt(Number(text) * 1000) : null;
  return ms === null ? text : new Date(ms).toISOString();
}

function unmapped(name: string, from: string, problem: string): Refusal {
  return new Refusal(422, 'unmapped', `${name}: ${from} ${problem}.`, {
    faults: [{ path: name, message: `${from} ${problem}` }],
  });
}

function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

function jsonText(body: Uint8Array): string {
  const text = decodeText(body);
  parseJson(text);
  return text;
}
