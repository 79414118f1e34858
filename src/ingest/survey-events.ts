import { isSpace, skipSpace, stringEnd } from '../domain/json-slices.ts';
import { invalid, type Rejection, tooLarge } from './rejection.ts';

/** What a request may hold. The bytes are those of an event as it would be delivered. */
export interface RequestLimits {
  readonly maxEvents: number;
  readonly maxEventBytes: number;
}

/** Most fields of an event. Our own form has nine names. A CloudEvent has ten and up to 64 extensions, and may have others that are null. */
export const MAX_FIELDS = 100;
/** Most characters in which one byte of an event may be written: `\u0041` for A. */
export const LONGEST_ESCAPE = 6;

/** An event that is refused whatever it says, with where it begins and ends in the text. */
export interface RejectedPart {
  readonly start: number;
  readonly end: number;
  readonly rejection: Rejection;
}

export interface Survey {
  /** Whether the text nests deeper than it may. The other members mean nothing then. */
  readonly isTooDeep: boolean;
  readonly isArray: boolean;
  /** Elements of the array, counted up to one more than there may be. */
  readonly count: number;
  /** By index in the array; 0 if there is no array. */
  readonly rejected: ReadonlyMap<number, RejectedPart>;
}

const COMMA = 0x2c;
const QUOTE = 0x22;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Looks over a text that should be an event, or an array of events if `mayBeArray`, before it is parsed: to parse a million small values takes
 * seconds in which nobody is served. What it finds is right for every text that is JSON; any other is refused anyway.
 */
export function surveyEvents(text: string, maxDepth: number, limits: RequestLimits, mayBeArray = true): Survey {
  const first = skipSpace(text, 0);
  const isArray = mayBeArray && text.charCodeAt(first) === OPEN_ARRAY;
  const outer = isArray ? 1 : 0;
  const rejected = new Map<number, RejectedPart>();
  let count = isArray ? 1 : 0;
  let event = eventAt(text, first + outer);
  let depth = outer;
  for (let at = first + outer; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (isSpace(code)) continue;
    event.characters++;
    if (code === QUOTE) {
      const end = stringEnd(text, at);
      event.characters += end - at;
      at = end;
    } else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      if (++depth > maxDepth) return { isTooDeep: true, isArray, count, rejected };
    } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) {
      if (--depth === 0 && isArray) judge(event, count - 1, at, limits, rejected);
    } else if (code !== COMMA) continue;
    else if (depth === outer + 1) event.fields++;
    else if (depth === outer && isArray) {
      judge(event, count - 1, at, limits, rejected);
      if (++count > limits.maxEvents) return { isTooDeep: false, isArray, count, rejected };
      event = eventAt(text, at + 1);
    }
  }
  if (!isArray) judge(event, 0, text.length, limits, rejected);
  return { isTooDeep: false, isArray, count, rejected };
}

interface Surveyed {
  readonly start: number;
  readonly isObject: boolean;
  fields: number;
  /** Characters without white space outside strings. */
  characters: number;
}

function eventAt(text: string, from: number): Surveyed {
  const start = skipSpace(text, from);
  return { start, isObject: text.charCodeAt(start) === OPEN_OBJECT, fields: 1, characters: 0 };
}

function judge(
  { start, isObject, fields, characters }: Surveyed,
  index: number,
  end: number,
  { maxEventBytes }: RequestLimits,
  rejected: Map<number, RejectedPart>,
): void {
  const bytes = Math.floor(characters / LONGEST_ESCAPE);
  if (isObject && fields > MAX_FIELDS) rejected.set(index, { start, end, rejection: tooManyFields() });
  else if (bytes > maxEventBytes) rejected.set(index, { start, end, rejection: surelyTooLarge(bytes, maxEventBytes) });
}

export function tooManyFields(): Rejection {
  return invalid('The event is not valid.', [{ path: '', message: `expected at most ${MAX_FIELDS} fields` }]);
}

export function surelyTooLarge(bytes: number, most: number): Rejection {
  return tooLarge(`over ${bytes} bytes as it would be delivered`, most);
}
