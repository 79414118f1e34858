import { type Fault, Refusal } from '../domain/errors.ts';
import { nestingDepth } from '../domain/json-slices.ts';
import { type SlicedText, sliceEvents } from './slice-events.ts';

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

/**
 * `parseJson` for a text that should be events.
 * @throws Refusal as `parseJson` does
 */
export function parseEvents(text: string, where: string): ParsedEvents {
  const sliced = sliceEvents(text, MAX_DEPTH);
  if (sliced === null) return { value: parseJson(text, where), sliced };
  try {
    return { value: JSON.parse(text), sliced };
  } catch {
    // It says what is wrong.
    return { value: parseJson(text, where), sliced: null };
  }
}

/**
 * @param where goes before the words of a refusal
 * @throws Refusal 400 when it is not JSON, 422 when it nests too deep
 */
export function parseJson(text: string, where: string): unknown {
  if (nestingDepth(text, MAX_DEPTH) > MAX_DEPTH) {
    const faults: Fault[] = [{ path: '', message: `expected at most ${MAX_DEPTH} levels of nesting` }];
    throw new Refusal(422, 'too_deep', `${where}The JSON nests deeper than ${MAX_DEPTH} levels.`, { faults });
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, 'invalid_json', `${where}The body is not valid JSON.`);
  }
}
