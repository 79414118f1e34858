import { arrayElements } from '../domain/json-slices.ts';
import type { RawEvent } from './accept.ts';
import { decodeText, type ParsedEvents, parseEvents } from './json-text.ts';
import { emptyBatch, refusalFor, tooManyEvents } from './rejection.ts';
import type { EventSlice } from './slice-events.ts';
import type { RejectedPart, RequestLimits } from './survey-events.ts';

/** How a request body is to be read. Its media type decides. */
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
  // As many UTF-16 units as bytes: then all characters are ASCII.
  const isAscii = text.length === body.length;
  if (format === 'ndjson') return readLines(text, isAscii, limits);
  const parsed = parseEvents(text, limits, { mayBeArray: true, isNative: true });
  if (!parsed.isArray) return { isBatch: false, events: [singleEvent(parsed, isAscii)] };
  const values = parsed.value as readonly unknown[];
  if (values.length === 0) throw emptyBatch();
  const { sliced, rejected } = parsed;
  const texts = sliced === null ? arrayElements(parsed.text) : null;
  const events: RawEvent[] = [];
  for (const [i, item] of values.entries()) {
    const slice = sliced?.events[i];
    const part = rejected.size === 0 ? undefined : rejected.get(i);
    events.push(part === undefined ? rawEvent(item, slice?.text ?? texts![i]!, isAscii, slice) : rejectedEvent(part));
  }
  return { isBatch: true, events };
}

/**
 * Reads a text that is one event. A source may read hundreds in one turn of the event loop.
 * @throws Refusal 400 when it is not UTF-8 or not JSON, 413 or 422 when the event cannot be taken whatever it says
 */
export function readOne(body: Uint8Array, maxEventBytes: number): RawEvent {
  const text = decodeText(body);
  const limits = { maxEvents: 1, maxEventBytes };
  const parsed = parseEvents(text, limits, { mayBeArray: false, isNative: true, tellPlace: false });
  return singleEvent(parsed, text.length === body.length);
}

/** @throws Refusal when the event cannot be taken whatever it says */
function singleEvent({ value, text, sliced, rejected }: ParsedEvents, isAscii: boolean): RawEvent {
  const part = rejected.get(0);
  if (part !== undefined) throw refusalFor(new Map([[0, part.rejection]]), false);
  return rawEvent(value, text, isAscii, sliced?.events[0]);
}

/** An event that is refused unread. */
export function rejectedEvent({ rejection }: RejectedPart): RawEvent {
  return { value: null, text: '', rejection };
}

function rawEvent(value: unknown, text: string, isAscii: boolean, slice: EventSlice | undefined): RawEvent {
  const bytes = isAscii ? text.length : undefined;
  return slice === undefined ? { value, text, bytes } : { value, text, bytes, slice };
}

function readLines(text: string, isAscii: boolean, limits: RequestLimits): ReadRequest {
  const lines = linesOf(text, limits.maxEvents);
  if (lines.length === 0) throw emptyBatch();
  if (lines.length > limits.maxEvents) throw tooManyEvents(limits.maxEvents);
  const events = lines.map((line) => readLine(line, isAscii, limits));
  return { isBatch: true, events };
}

function readLine({ line, number }: Line, isAscii: boolean, limits: RequestLimits): RawEvent {
  const form = { where: `line ${number}: `, mayBeArray: false, isNative: true };
  const { value, text, sliced, rejected } = parseEvents(line, limits, form);
  const part = rejected.get(0);
  return part === undefined ? rawEvent(value, text, isAscii, sliced?.events[0]) : rejectedEvent(part);
}

interface Line {
  readonly line: string;
  /** The number that an editor shows: blank lines count. */
  readonly number: number;
}

/** @returns the lines that are not blank, up to `max` + 1: a body of millions of lines must not become millions of objects */
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
