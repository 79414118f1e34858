import { isSpace, skipSpace, stringEnd, withoutSpace } from '../domain/json-slices.ts';
import {
  LONGEST_ESCAPE,
  MAX_FIELDS,
  type RejectedPart,
  type RequestLimits,
  type Survey,
  surelyTooLarge,
  tooManyFields,
} from './survey-events.ts';

/** An event's part of the text of a request, and the two of its members that are kept as they were written. */
export interface EventSlice {
  readonly text: string;
  /** Where that begins. */
  readonly start: number;
  /** Members of the object, repeated ones included. */
  readonly members: number;
  /** Without white space outside strings; null where no member is spelled `"data"`. */
  readonly dataText: string | null;
  readonly metadataText: string | null;
  /** Of the values of other members. */
  readonly otherCharacters: number;
}

export interface SlicedText extends Survey {
  readonly events: readonly EventSlice[];
}

/**
 * Cuts an event, or an array of events, into what is kept of their texts: in one walk, which is told how deep the text nests besides. It
 * believes its eyes: only once `JSON.parse` has accepted the text, and an event has no names but those of an event, is it right.
 * @returns null where the text is anything else, is no JSON, has a name with an escape, nests deeper than `maxDepth`, or has too many events
 */
export function sliceEvents(text: string, maxDepth: number, limits: RequestLimits): SlicedText | null {
  const walk: Walk = { text, maxDepth, hasSpace: false };
  const start = skipSpace(text, 0);
  const isArray = text.charCodeAt(start) === OPEN_ARRAY;
  const events: EventSlice[] = [];
  const end = isArray ? sliceArray(walk, start, events, limits.maxEvents) : sliceEvent(walk, start, 1, events);
  if (end < 0 || skipSpace(text, end) !== text.length) return null;
  return { isTooDeep: false, isArray, count: events.length, events, rejected: rejectedOf(events, limits) };
}

const NONE: ReadonlyMap<number, RejectedPart> = new Map();

function rejectedOf(events: readonly EventSlice[], { maxEventBytes }: RequestLimits): Survey['rejected'] {
  let rejected: Map<number, RejectedPart> | undefined;
  for (const [index, slice] of events.entries()) {
    const bytes = leastBytes(slice);
    if (bytes <= maxEventBytes && slice.members <= MAX_FIELDS) continue;
    rejected ??= new Map();
    const { start, text } = slice;
    const rejection = bytes > maxEventBytes ? surelyTooLarge(bytes, maxEventBytes) : tooManyFields();
    rejected.set(index, { start, end: start + text.length, rejection });
  }
  return rejected ?? NONE;
}

/** Bytes that an event surely has: `data` and `metadata` are delivered as they are written, the others may have been written with escapes. */
function leastBytes({ dataText, metadataText, otherCharacters }: EventSlice): number {
  return (dataText?.length ?? 0) + (metadataText?.length ?? 0) + Math.floor(otherCharacters / LONGEST_ESCAPE);
}

/** A walk over a text. */
interface Walk {
  readonly text: string;
  readonly maxDepth: number;
  /** Whether the value that was stepped over last has white space outside strings. */
  hasSpace: boolean;
}

const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const COMMA = 0x2c;
const COLON = 0x3a;
const QUOTE = 0x22;
/** The only names of an event that begin with these letters. */
const DATA = 'd'.charCodeAt(0);
const METADATA = 'm'.charCodeAt(0);

/** Where a walk came upon what it does not know. */
const LOST = -1;

/** @returns where the array ends */
function sliceArray(walk: Walk, start: number, events: EventSlice[], maxEvents: number): number {
  const { text } = walk;
  let at = skipSpace(text, start + 1);
  if (text.charCodeAt(at) === CLOSE_ARRAY) return at + 1;
  for (;;) {
    const end = sliceEvent(walk, at, 2, events);
    if (end < 0 || events.length > maxEvents) return LOST;
    at = skipSpace(text, end);
    const code = text.charCodeAt(at);
    if (code === CLOSE_ARRAY) return at + 1;
    if (code !== COMMA) return LOST;
    at = skipSpace(text, at + 1);
  }
}

/** @returns where the object ends that begins here */
function sliceEvent(walk: Walk, start: number, depth: number, events: EventSlice[]): number {
  const { text } = walk;
  if (text.charCodeAt(start) !== OPEN_OBJECT) return LOST;
  let at = skipSpace(text, start + 1);
  let members = 0;
  let dataText: string | null = null;
  let metadataText: string | null = null;
  let otherCharacters = 0;
  while (text.charCodeAt(at) === QUOTE) {
    members++;
    const letter = text.charCodeAt(at + 1);
    const colon = skipSpace(text, stringEnd(text, at) + 1);
    if (text.charCodeAt(colon) !== COLON) return LOST;
    const valueStart = skipSpace(text, colon + 1);
    const end = stepOver(walk, valueStart, depth);
    if (end < 0) return LOST;
    if (letter === DATA) dataText = cut(walk, valueStart, end);
    else if (letter === METADATA) metadataText = cut(walk, valueStart, end);
    else otherCharacters += end - valueStart;
    at = skipSpace(text, end);
    if (text.charCodeAt(at) === COMMA) at = skipSpace(text, at + 1);
  }
  if (text.charCodeAt(at) !== CLOSE_OBJECT) return LOST;
  events.push({ text: text.slice(start, at + 1), start, members, dataText, metadataText, otherCharacters });
  return at + 1;
}

/** @returns where the value ends that begins here */
function stepOver(walk: Walk, start: number, depth: number): number {
  const { text } = walk;
  walk.hasSpace = false;
  const first = text.charCodeAt(start);
  if (first === QUOTE) return stringEnd(text, start) + 1;
  if (first === OPEN_OBJECT || first === OPEN_ARRAY) return stepOverNested(walk, start, depth);
  let at = start;
  while (at < text.length && !endsScalar(text.charCodeAt(at))) at++;
  return at;
}

function stepOverNested(walk: Walk, start: number, outer: number): number {
  const { text, maxDepth } = walk;
  let depth = outer;
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = stringEnd(text, at);
    else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      if (++depth > maxDepth) return LOST;
    } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) {
      if (--depth === outer) return at + 1;
    } else if (isSpace(code)) walk.hasSpace = true;
  }
  return LOST;
}

function endsScalar(code: number): boolean {
  return code === COMMA || code === CLOSE_OBJECT || code === CLOSE_ARRAY || isSpace(code);
}

function cut({ text, hasSpace }: Walk, start: number, end: number): string {
  return hasSpace ? withoutSpace(text, start, end) : text.slice(start, end);
}
