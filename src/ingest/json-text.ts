import { type Fault, Refusal } from '../domain/errors.ts';
import { nestingDepth } from '../domain/json-slices.ts';
import { type Rejection, tooManyEvents } from './rejection.ts';
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

/** What a text says, and its events where they are written as they mostly are. */
export interface ParsedEvents {
  readonly value: unknown;
  readonly sliced: SlicedText | null;
}

/** A text that is not even worth parsing, because these of its events cannot be taken. */
export interface RejectedEvents {
  readonly isArray: boolean;
  readonly rejections: ReadonlyMap<number, Rejection>;
}

/**
 * `parseJson` for a text that should be events.
 * @throws Refusal as `parseJson` does, 413 when they are too many
 */
export function parseEvents(text: string, where: string, limits: RequestLimits): ParsedEvents | RejectedEvents {
  const sliced = sliceEvents(text, MAX_DEPTH, limits);
  return parseSurveyed(text, where, limits, sliced);
}

/**
 * The same for events of another form than ours.
 * @throws Refusal as `parseEvents` does
 */
export function parseForeignEvents(text: string, limits: RequestLimits): ParsedEvents | RejectedEvents {
  return parseSurveyed(text, '', limits, null);
}

function parseSurveyed(text: string, where: string, limits: RequestLimits, sliced: SlicedText | null) {
  const survey: Survey = sliced ?? surveyEvents(text, MAX_DEPTH, limits);
  if (survey.isTooDeep) throw tooDeep(where);
  if (survey.count > limits.maxEvents) throw tooManyEvents(limits.maxEvents);
  return survey.rejections.size > 0 ? survey : { value: parse(text, where), sliced };
}

/**
 * @param where goes before the words of a refusal
 * @throws Refusal 400 when it is not JSON, 422 when it nests too deep
 */
export function parseJson(text: string, where: string): unknown {
  if (nestingDepth(text, MAX_DEPTH) > MAX_DEPTH) throw tooDeep(where);
  return parse(text, where);
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, 'invalid_json', `${where}The body is not valid JSON.`);
  }
}

function tooDeep(where: string): Refusal {
  const faults: Fault[] = [{ path: '', message: `expected at most ${MAX_DEPTH} levels of nesting` }];
  return new Refusal(422, 'too_deep', `${where}The JSON nests deeper than ${MAX_DEPTH} levels.`, { faults });
}
