import { type Fault, Refusal } from '../domain/errors.ts';
import { whereJsonBreaks } from '../domain/json-fault.ts';
import { nestingDepth, skipSpace } from '../domain/json-slices.ts';
import { tooManyEvents } from './rejection.ts';
import { type SlicedText, sliceEvents } from './slice-events.ts';
import { type RequestLimits, type Survey, surveyEvents } from './survey-events.ts';

const MAX_DEPTH = 100;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws Refusal 400 when it is empty, or not UTF-8 without a byte order mark */
export function decodeText(body: Uint8Array): string {
  if (body.length === 0) throw new Refusal(400, 'invalid_json', 'The request body is empty.');
  try {
    const text = decoder.decode(body);
    if (text.charCodeAt(0) === 0xfeff) throw new TypeError('BOM');
    return text;
  } catch {
    throw new Refusal(400, 'invalid_json', 'The request body is not UTF-8 without a byte order mark.');
  }
}

/** A parsed text, and the slices of its events if they are written in the usual form. */
export interface ParsedEvents {
  readonly value: unknown;
  /** The text that was parsed: `null` stands in it for each event that is rejected. */
  readonly text: string;
  readonly isArray: boolean;
  readonly sliced: SlicedText | null;
  /** Events that are refused whatever they say, by index in the array; 0 if there is no array. */
  readonly rejected: Survey['rejected'];
}

export interface EventsForm {
  /** What a refusal's text begins with. */
  readonly where?: string;
  /** Whether an array is taken for an array of events; else for a value that is no event. */
  readonly mayBeArray: boolean;
  /** Whether the events are in our own form. */
  readonly isNative: boolean;
  /** Whether a refusal tells where the text breaks the rules of JSON; true unless given. */
  readonly tellPlace?: boolean;
}

/** Characters of a text that is always parsed, even if its events are refused, so that a fault of its JSON is told first. That takes milliseconds. */
const SHORT = 64 * 1024;

/**
 * Parses a text that should be events. Those that are refused whatever they say are not parsed.
 * @throws Refusal as `parseJson` does, 413 if there are too many events
 */
export function parseEvents(text: string, limits: RequestLimits, form: EventsForm): ParsedEvents {
  const { where = '', mayBeArray, isNative, tellPlace = true } = form;
  const maySlice = isNative && (mayBeArray || !isArrayText(text));
  const sliced = maySlice ? sliceEvents(text, MAX_DEPTH, limits) : null;
  const { isTooDeep, isArray, count, rejected } = sliced ?? surveyEvents(text, MAX_DEPTH, limits, mayBeArray);
  if (isTooDeep) throw tooDeep(where);
  const hasTooMany = count > limits.maxEvents;
  if ((hasTooMany || rejected.size > 0) && text.length <= SHORT) parse(text, where, tellPlace);
  if (hasTooMany) throw tooManyEvents(limits.maxEvents);
  const good = rejected.size === 0 ? text : without(rejected, text);
  // No place is told if events were cut out: it would not be the place in the text that was sent.
  const isWhole = rejected.size === 0;
  return { value: parse(good, where, tellPlace && isWhole), text: good, isArray, sliced, rejected };
}

function isArrayText(text: string): boolean {
  return text.charCodeAt(skipSpace(text, 0)) === 0x5b;
}

function without(rejected: Survey['rejected'], text: string): string {
  let kept = '';
  let from = 0;
  for (const { start, end } of rejected.values()) {
    kept += `${text.slice(from, start)}null`;
    from = end;
  }
  return kept + text.slice(from);
}

/**
 * @throws Refusal 400 when it is not JSON, 422 when it nests too deep
 */
export function parseJson(text: string): unknown {
  if (nestingDepth(text, MAX_DEPTH) > MAX_DEPTH) throw tooDeep('');
  // No place is told: sources read hundreds of texts in one turn of the event loop, and to find where each breaks would take long.
  return parse(text, '', false);
}

function parse(text: string, where: string, tellPlace = true): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(
      400,
      'invalid_json',
      `${where}The body is not valid JSON${tellPlace ? whereJsonBreaks(text) : ''}.`,
    );
  }
}

function tooDeep(where: string): Refusal {
  const faults: Fault[] = [{ path: '', message: `expected at most ${MAX_DEPTH} levels of nesting` }];
  return new Refusal(422, 'too_deep', `${where}The JSON nests deeper than ${MAX_DEPTH} levels.`, { faults });
}
