import { repeatedNames } from '../domain/repeated-names.ts';

/** Quotes around a name and a value, the colon between them, and a comma or the brace behind. */
const MARKS = 6;

/**
 * Whether no object in it has a name twice. Metadata are mostly a few names with short texts, and then the length alone tells: whatever
 * were there twice would make the text longer than what `JSON.parse` kept of it.
 * @param parsed what `JSON.parse` made of the object `text`, which has no white space outside strings
 */
export function hasNamesOnce(parsed: object, text: string): boolean {
  let length = 1;
  for (const name in parsed) {
    const value: unknown = parsed[name as keyof typeof parsed];
    if (typeof value !== 'string') return repeatedNames(text, 1).length === 0;
    length += name.length + value.length + MARKS;
  }
  return length === text.length || repeatedNames(text, 1).length === 0;
}
