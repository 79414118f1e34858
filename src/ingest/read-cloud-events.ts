import type { CloudEventResult } from '../cloudevents/compose-cloud-event.ts';
import { attributesOfHeaders } from '../cloudevents/http-headers.ts';
import { readBinary } from '../cloudevents/read-binary.ts';
import { readStructured } from '../cloudevents/read-structured.ts';
import { Refusal } from '../domain/errors.ts';
import { arrayElements } from '../domain/json-slices.ts';
import type { RawEvent } from './accept.ts';
import { decodeText, parseEvents } from './json-text.ts';
import { readCloudEvent } from './read-cloud-event.ts';
import { type ReadRequest, rejectedEvent } from './read-request.ts';
import { refusalFor, tooLarge } from './rejection.ts';
import { LONGEST_ESCAPE, type RequestLimits } from './survey-events.ts';

/** The content modes of the HTTP binding, with the JSON format. */
export type CloudEventsMode = 'structured' | 'batched' | 'binary';

/** A request that carries CloudEvents. */
export interface CloudEventsMessage {
  readonly mode: CloudEventsMode;
  readonly contentType: string | undefined;
  /** Names and values in turn, as Node gives them. */
  readonly rawHeaders: readonly string[];
  readonly body: Uint8Array;
}

/**
 * Reads a request of CloudEvents 1.0. An event that is not valid is among the events, with its faults.
 * @param tenantExtension see `CloudEventOptions`
 * @throws Refusal as `readRequest` does; an empty batch is none, because the specification allows it.
 */
export function readCloudEvents(
  message: CloudEventsMessage,
  tenantExtension: string | null,
  limits: RequestLimits,
): ReadRequest {
  if (message.mode === 'binary') return { isBatch: false, events: [readBinaryEvent(message, tenantExtension, limits)] };
  const isBatch = message.mode === 'batched';
  const { isArray, text, rejected } = parseEvents(decodeText(message.body), limits, {
    mayBeArray: isBatch,
    isNative: false,
  });
  if (isBatch && !isArray) {
    const faults = [{ path: '', message: 'expected an array of CloudEvents' }];
    throw new Refusal(422, 'invalid_batch', 'The body is not a batch of CloudEvents.', { faults });
  }
  const read = (each: string, place: number): RawEvent => {
    const part = rejected.get(place);
    return part === undefined ? readCloudEvent(readStructured(each), each, { tenantExtension }) : rejectedEvent(part);
  };
  if (isBatch) return { isBatch, events: arrayElements(text).map(read) };
  const [first] = rejected.values();
  if (first !== undefined) throw refusalFor(new Map([[0, first.rejection]]), false);
  return { isBatch, events: [read(text, 0)] };
}

function readBinaryEvent(
  { rawHeaders, contentType, body }: CloudEventsMessage,
  tenantExtension: string | null,
  { maxEventBytes }: RequestLimits,
) {
  // White space in JSON is dropped, but not this much of it is looked through.
  if (body.length > maxEventBytes * LONGEST_ESCAPE)
    throw refusalFor(new Map([[0, tooLarge(`${body.length} bytes, white space included`, maxEventBytes)]]), false);
  const { attributes, faults } = attributesOfHeaders(rawHeaders);
  const result = readBinary({ attributes, contentType, body });
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1');
  return readCloudEvent(withFaults(result, faults), text, { tenantExtension, placeOf });
}

function withFaults(result: CloudEventResult, faults: readonly { path: string; message: string }[]): CloudEventResult {
  if (faults.length === 0) return result;
  return { ok: false, faults: [...faults, ...(result.ok ? [] : result.faults)] };
}

function placeOf(attribute: string): string {
  if (attribute === 'datacontenttype') return 'content-type';
  return /^data($|\.)/.test(attribute) ? attribute : `ce-${attribute}`;
}
