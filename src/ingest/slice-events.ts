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

/** The text of one event in a request, with the texts of its two members that are kept as they were written. */
export interface EventSlice {
  readonly text: string;
  /** Where it begins in the text of the request. */
  readonly start: number;
  /** How many members the object has, repeated ones included. */
  readonly members: number;
  /** Without white space outside strings; null where no member is spelled `"data"`. */
  readonly dataText: string | null;
  readonly metadataText: string | null;
  /** Characters of the values of all other members. */
  readonly otherCharacters: number;
}

export interface SlicedText extends Survey {
  readonly events: readonly EventSlice[];
}

/**
 * Cuts an event, or an array of events, into the texts that are kept. It does so in one walk, which also sees how deep the text nests. The
 * walk does not check what it sees. Its result is right only if `JSON.parse` then accepts the text, and the event has no names but those of
 * an event.
 * @returns null if the text is anything else, nests deeper than `maxDepth`, or has too many events; often also if it is no JSON
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

/** @returns bytes that the event has at least: `data` and `metadata` are delivered as they are written, other members may be written with escapes */
function leastBytes({ dataText, metadataText, otherCharacters }: EventSlice): number {
  return (dataText?.length ?? 0) + (metadataText?.length ?? 0) + Math.floor(otherCharacters / LONGEST_ESCAPE);
}

/** The state of a walk over a text. */
interface Walk {
  readonly text: string;
  readonly maxDepth: number;
  /** Whether the value that was passed last has white space outside strings. */
  hasSpace: boolean;
}

const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const COMMA = 0x2c;
const COLON = 0x3a;
const QUOTE = 0x22;
/** First letters: no other names of an event begin with these. */
const DATA = 'd'.charCodeAt(0);
const METADATA = 'm'.charCodeAt(0);

/** In place of a position: the walk met something that it does not know. */
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
