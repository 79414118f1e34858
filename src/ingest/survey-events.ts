import { isSpace, skipSpace, stringEnd } from '../domain/json-slices.ts';
import { invalid, type Rejection, tooLarge } from './rejection.ts';

/** What a request may hold; a size in bytes is that of an event as it would be delivered. */
export interface RequestLimits {
  readonly maxEvents: number;
  readonly maxEventBytes: number;
}

/** Ours have nine names. A CloudEvent has ten and 64 extensions, and may say of others that they are null. */
export const MAX_FIELDS = 100;
/** Characters that one byte of an event may have been written in: `\u0041` for A. */
export const LONGEST_ESCAPE = 6;

export interface Survey {
  /** Deeper than told; nothing else is known then. */
  readonly isTooDeep: boolean;
  readonly isArray: boolean;
  /** Elements of the array, counted until there is one too many. */
  readonly count: number;
  /** What is no event whatever it says, by its place in the array; 0 where there is no array. */
  readonly rejections: ReadonlyMap<number, Rejection>;
}

const COMMA = 0x2c;
const QUOTE = 0x22;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Goes over a text that should be an event or an array of events before it is parsed, because parsing a million of small values takes seconds
 * in which nobody is served. What is found is true of every text that parses; of others it does not matter.
 */
export function surveyEvents(text: string, maxDepth: number, limits: RequestLimits): Survey {
  const first = skipSpace(text, 0);
  const isArray = text.charCodeAt(first) === OPEN_ARRAY;
  const outer = isArray ? 1 : 0;
  const rejections = new Map<number, Rejection>();
  let count = isArray ? 1 : 0;
  let event = eventAt(text, isArray ? skipSpace(text, first + 1) : first);
  let depth = 0;
  for (let at = first; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (isSpace(code)) continue;
    event.characters++;
    if (code === QUOTE) {
      const end = stringEnd(text, at);
      event.characters += end - at;
      at = end;
    } else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      if (++depth > maxDepth) return { isTooDeep: true, isArray, count, rejections };
    } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) depth--;
    else if (code !== COMMA) continue;
    else if (depth === outer + 1) event.fields++;
    else if (depth === outer && isArray) {
      judge(event, count - 1, limits, rejections);
      if (++count > limits.maxEvents) return { isTooDeep: false, isArray, count, rejections };
      event = eventAt(text, skipSpace(text, at + 1));
    }
  }
  judge(event, isArray ? count - 1 : 0, limits, rejections);
  return { isTooDeep: false, isArray, count, rejections };
}

interface Surveyed {
  readonly isObject: boolean;
  fields: number;
  /** White space outside strings aside. */
  characters: number;
}

function eventAt(text: string, start: number): Surveyed {
  return { isObject: text.charCodeAt(start) === OPEN_OBJECT, fields: 1, characters: 0 };
}

function judge(
  { isObject, fields, characters }: Surveyed,
  index: number,
  { maxEventBytes }: RequestLimits,
  rejections: Map<number, Rejection>,
): void {
  if (isObject && fields > MAX_FIELDS) rejections.set(index, tooManyFields());
  else if (characters > maxEventBytes * LONGEST_ESCAPE)
    rejections.set(index, tooLarge(`over ${Math.floor(characters / LONGEST_ESCAPE)} bytes`, maxEventBytes));
}

export function tooManyFields(): Rejection {
  return invalid('The event is not valid.', [{ path: '', message: `expected at most ${MAX_FIELDS} fields` }]);
}
