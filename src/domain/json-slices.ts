/**
 * Positions of members and elements inside a JSON text that `JSON.parse` has accepted. Values are cut out of the text as they
 * were sent, so that 9007199254740993, 1.10 and -0 reach the receiver unharmed.
 */

export interface Member {
  readonly name: string;
  /** The value's text, without white space outside strings. */
  readonly text: string;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Deepest nesting of arrays and objects in any text, valid JSON or not; stops counting at `limit`. */
export function nestingDepth(text: string, limit: number): number {
  let depth = 0;
  let deepest = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = stringEnd(text, i);
    else if (code === 0x7b || code === 0x5b) {
      if (++depth > deepest) deepest = depth;
      if (deepest > limit) return deepest;
    } else if (code === 0x7d || code === 0x5d) depth--;
  }
  return deepest;
}

/** Members of the object that `text` is, in order, repeated names included; the first `most`. */
export function objectMembers(text: string, most = Number.POSITIVE_INFINITY): Member[] {
  const members: Member[] = [];
  let at = skipSpace(text, skipSpace(text, 0) + 1);
  while (text.charCodeAt(at) !== 0x7d && members.length < most) {
    const nameEnd = stringEnd(text, at) + 1;
    const name = nameIn(text, at, nameEnd);
    const start = skipSpace(text, skipSpace(text, nameEnd) + 1);
    const end = valueEnd(text, start);
    members.push({ name, text: withoutSpace(text, start, end) });
    at = skipSpace(text, end);
    if (text.charCodeAt(at) === 0x2c) at = skipSpace(text, at + 1);
  }
  return members;
}

/**
 * Hardly any name has escapes, and to parse each takes most of the time that an object takes.
 * @throws SyntaxError where there is no name: the text is no JSON, as that of an event whose stored bytes are damaged, and has no end either
 */
function nameIn(text: string, start: number, end: number): string {
  const isQuoted = text.charCodeAt(start) === QUOTE && text.charCodeAt(end - 1) === QUOTE;
  const name = text.slice(start + 1, end - 1);
  return isQuoted && !name.includes('\\') ? name : (JSON.parse(text.slice(start, end)) as string);
}

/** Texts of the elements of the array that `text` is. */
export function arrayElements(text: string): string[] {
  const elements: string[] = [];
  let at = skipSpace(text, skipSpace(text, 0) + 1);
  while (text.charCodeAt(at) !== 0x5d) {
    const end = valueEnd(text, at);
    elements.push(text.slice(at, end));
    at = skipSpace(text, end);
    if (text.charCodeAt(at) === 0x2c) at = skipSpace(text, at + 1);
  }
  return elements;
}

/** Index of the closing quote of the string that opens at `start`; the text's end when there is none. */
export function stringEnd(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    // A quote is escaped when an odd number of backslashes stands before it. The opening quote ends the count at the latest.
    let before = quote - 1;
    while (text.charCodeAt(before) === BACKSLASH) before--;
    if ((quote - before) % 2 === 1) return quote;
  }
  return text.length;
}

function valueEnd(text: string, start: number): number {
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = stringEnd(text, i);
    else if (code === 0x7b || code === 0x5b) depth++;
    else if (code === 0x7d || code === 0x5d) {
      if (depth-- === 0) return i;
      if (depth === 0) return i + 1;
      continue;
    } else if (depth === 0 && (code === 0x2c || isSpace(code))) return i;
    if (depth === 0 && code === QUOTE) return i + 1;
  }
  return text.length;
}

export function withoutSpace(text: string, start: number, end: number): string {
  let kept = '';
  let from = start;
  for (let i = start; i < end; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = stringEnd(text, i);
    else if (isSpace(code)) {
      kept += text.slice(from, i);
      from = i + 1;
    }
  }
  return kept + text.slice(from, end);
}

export function skipSpace(text: string, from: number): number {
  let i = from;
  while (i < text.length && isSpace(text.charCodeAt(i))) i++;
  return i;
}

export function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}
