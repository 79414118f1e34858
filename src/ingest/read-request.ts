import { Refusal } from '../domain/errors.ts';
import { arrayElements } from '../domain/json-slices.ts';
import type { RawEvent } from './accept.ts';
import { decodeText, parseEvents } from './json-text.ts';
import type { EventSlice } from './slice-events.ts';

export interface RequestLimits {
  readonly maxEvents: number;
}

/** How a request body is to be read: from its media type. */
export type BodyFormat = 'json' | 'ndjson';

/** The events of a request, and whether they came as a batch. */
export interface ReadRequest {
  readonly isBatch: boolean;
  readonly events: readonly RawEvent[];
}

/**
 * Reads the body of `POST /v1/events`.
 * @throws Refusal 400 when it is not UTF-8 or not JSON, 413 when a batch has too many events, 422 when it is empty, nests too deep or
 * is not made of events.
 */
export function readRequest(body: Uint8Array, format: BodyFormat, limits: RequestLimits): ReadRequest {
  const text = decodeText(body);
  // As many bytes as UTF-16 units: each is one of ASCII.
  const isAscii = text.length === body.length;
  if (format === 'ndjson') return readLines(text, isAscii, limits);
  const { value, sliced } = parseEvents(text, '');
  if (!Array.isArray(value)) return { isBatch: false, events: [rawEvent(value, text, isAscii, sliced?.events[0])] };
  checkCount(value.length, limits);
  const texts = sliced === null ? arrayElements(text) : null;
  const events: RawEvent[] = [];
  for (const [i, item] of value.entries()) {
    const slice = sliced?.events[i];
    events.push(rawEvent(item, slice?.text ?? texts![i]!, isAscii, slice));
  }
  return { isBatch: true, events };
}

function rawEvent(value: unknown, text: string, isAscii: boolean, slice: EventSlice | undefined): RawEvent {
  const bytes = isAscii ? text.length : undefined;
  return slice === undefined ? { value, text, bytes } : { value, text, bytes, slice };
}

function readLines(text: string, isAscii: boolean, limits: RequestLimits): ReadRequest {
  const lines = linesOf(text, limits.maxEvents);
  checkCount(lines.length, limits);
  const events = lines.map(({ line, number }) => {
    const { value, sliced } = parseEvents(line, `line ${number}: `);
    return rawEvent(value, line, isAscii, sliced?.isArray === false ? sliced.events[0] : undefined);
  });
  return { isBatch: true, events };
}

interface Line {
  readonly line: string;
  /** Blank ones counted: as an editor shows it. */
  readonly number: number;
}

/** Lines that are not blank, one more than there may be at the most: a body of millions of line feeds must not become millions of objects. */
function linesOf(text: string, max: number): Line[] {
  const lines: Line[] = [];
  for (let number = 1, start = 0; start < text.length && lines.length <= max; number++) {
    const feed = text.indexOf('\n', start);
    const end = feed === -1 ? text.length : feed;
    while (start < end && isSpace(text.charCodeAt(start))) start++;
    const line = text.slice(start, end);
    if (line.trim() !== '') lines.push({ line, number });
    start = end + 1;
  }
  return lines;
}

/** A blank, a tab or a carriage return. */
function isSpace(code: number): boolean {
  return code === 32 || code === 9 || code === 13;
}

/** @throws Refusal 422 when there is no event, 413 when there are too many */
export function checkCount(count: number, { maxEvents }: RequestLimits): void {
  if (count === 0)
    throw new Refusal(422, 'empty_batch', 'The batch holds no event.', {
      faults: [{ path: '', message: 'expected at least one event' }],
    });
  if (count > maxEvents)
    throw new Refusal(
      413,
      'too_large',
      `The batch holds more than ${maxEvents} events: at most so many are taken in one request.`,
    );
}
