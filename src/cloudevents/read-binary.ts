import type { Fault } from '../domain/errors.ts';
import { nestingDepth, objectMembers } from '../domain/json-slices.ts';
import type { EventData } from './cloud-event.ts';
import { type CloudEventResult, composeCloudEvent } from './compose-cloud-event.ts';
import { charsetOf, isJsonType, isTextType, isUtf8 } from './media-type.ts';

const MAX_DEPTH = 100;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export interface BinaryMessage {
  /** What the protocol carries beside the payload, names without prefix, values decoded. */
  readonly attributes: Iterable<readonly [string, unknown]>;
  /** The protocol's content type: what binary mode has for `datacontenttype`. */
  readonly contentType: string | undefined;
  readonly body: Uint8Array;
}

/**
 * Reads an event in binary content mode, of any protocol. JSON is kept as JSON, text in UTF-8 as text, everything else as base64; nothing
 * is no data. Without a content type the payload is taken for JSON, as in the JSON format.
 */
export function readBinary({ attributes, contentType, body }: BinaryMessage): CloudEventResult {
  return composeCloudEvent(withContentType(attributes, contentType), (type) => dataOf(body, type));
}

function* withContentType(
  attributes: BinaryMessage['attributes'],
  contentType: string | undefined,
): Generator<readonly [string, unknown]> {
  // One that came as an attribute too is a fault: the same name twice (http-protocol-binding.md §3.1.1).
  if (contentType !== undefined) yield ['datacontenttype', contentType];
  yield* attributes;
}

function dataOf(body: Uint8Array, contentType = 'application/json'): EventData | null | Fault {
  if (body.length === 0) return null;
  const isJson = isJsonType(contentType);
  const text = isUtf8(charsetOf(contentType)) && (isJson || isTextType(contentType)) ? utf8Of(body) : null;
  if (isJson) return jsonOf(text);
  if (text !== null) return { kind: 'text', text };
  return { kind: 'binary', base64: Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('base64') };
}

function utf8Of(body: Uint8Array): string | null {
  try {
    return decoder.decode(body);
  } catch {
    return null;
  }
}

function jsonOf(text: string | null): EventData | Fault {
  if (text === null) return { path: 'data', message: 'expected JSON in UTF-8, as the content type says' };
  if (nestingDepth(text, MAX_DEPTH) > MAX_DEPTH)
    return { path: 'data', message: `expected at most ${MAX_DEPTH} levels of nesting` };
  try {
    JSON.parse(text);
  } catch {
    return { path: 'data', message: 'expected JSON, as the content type says' };
  }
  // As the value of a member, so that white space goes as it does for events of other formats.
  return { kind: 'json', text: objectMembers(`{"data":${text}}`)[0]!.text };
}
