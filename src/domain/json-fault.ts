import { skipSpace } from './json-slices.ts';

/** Longer texts are not searched: to say where they break takes longer than to find that they do. */
const LONGEST = 16 * 1024;

/** What may come next. `first…`: right behind the mark that opens, where the one that closes may come too. */
type Wanted = 'value' | 'first value' | 'key' | 'first key' | 'colon' | 'next';
type Token = 'string' | 'scalar' | '{' | '}' | '[' | ']' | ':' | ',';

/** Where a text that `JSON.parse` has refused breaks, as the end of a sentence: `, from line 2, column 7 on`. '' where it is too long to be searched. */
export function whereJsonBreaks(text: string): string {
  if (text.length > LONGEST) return '';
  const at = jsonFault(text);
  if (at === null) return '';
  if (at === text.length) return ': it ends too early';
  const lines = text.slice(0, at).split('\n');
  const column = `column ${lines.at(-1)!.length + 1}`;
  return lines.length === 1 ? `, from ${column} on` : `, from line ${lines.length}, ${column} on`;
}

/** Index of the first token of RFC 8259 that cannot stand where it is; the text's length when it breaks off; null when the text is JSON. */
export function jsonFault(text: string): number | null {
  const open: Token[] = [];
  let wanted: Wanted = 'value';
  for (let at = skipSpace(text, 0); at < text.length; ) {
    const end = tokenEnd(text, at);
    if (end === 'cut') return text.length;
    if (end === null) return at;
    const then = after(wanted, tokenAt(text, at), open);
    if (then === null) return at;
    wanted = then;
    at = skipSpace(text, end);
  }
  return wanted === 'next' && open.length === 0 ? null : text.length;
}

const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
/** What may become one with more text behind it. */
const CUT_SCALAR = /(?:-|-?(?:0|[1-9]\d*)(?:\.|(?:\.\d+)?[eE][+-]?)|t|tr|tru|f|fa|fal|fals|n|nu|nul)$/y;
const ESCAPE = /["\\/bfnrt]|u[0-9a-fA-F]{4}/y;
const CUT_ESCAPE = /(?:u[0-9a-fA-F]{0,3})?$/y;
const MARKS = '{}[]:,';
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Where a token ends. Null: none begins here. `cut`: the text ends in the midst of one. */
type End = number | 'cut' | null;

function tokenEnd(text: string, at: number): End {
  if (text.charCodeAt(at) === QUOTE) return stringEnd(text, at);
  if (MARKS.includes(text[at]!)) return at + 1;
  // `1.` begins with a number, too.
  if (matches(CUT_SCALAR, text, at)) return 'cut';
  return matches(SCALAR, text, at) ? SCALAR.lastIndex : null;
}

function tokenAt(text: string, at: number): Token {
  const first = text[at]!;
  if (MARKS.includes(first)) return first as Token;
  return first === '"' ? 'string' : 'scalar';
}

function stringEnd(text: string, start: number): End {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code < 0x20) return null;
    if (code !== BACKSLASH) continue;
    if (!matches(ESCAPE, text, at + 1)) return matches(CUT_ESCAPE, text, at + 1) ? 'cut' : null;
    at = ESCAPE.lastIndex - 1;
  }
  return 'cut';
}

function matches(pattern: RegExp, text: string, at: number): boolean {
  pattern.lastIndex = at;
  return pattern.test(text);
}

/** What is wanted behind a token; null where it may not stand. */
function after(wanted: Wanted, token: Token, open: Token[]): Wanted | null {
  switch (wanted) {
    case 'colon':
      return token === ':' ? 'value' : null;
    case 'key':
    case 'first key':
      if (token === 'string') return 'colon';
      return token === '}' && wanted === 'first key' ? closed(token, open) : null;
    case 'next':
      if (token === ',' && open.length > 0) return open.at(-1) === '{' ? 'key' : 'value';
      return closed(token, open);
    default:
      return afterValue(wanted, token, open);
  }
}

function afterValue(wanted: Wanted, token: Token, open: Token[]): Wanted | null {
  if (token === 'scalar' || token === 'string') return 'next';
  if (token === ']' && wanted === 'first value') return closed(token, open);
  if (token !== '{' && token !== '[') return null;
  open.push(token);
  return token === '{' ? 'first key' : 'first value';
}

function closed(token: Token, open: Token[]): Wanted | null {
  const opener = open.at(-1);
  if ((token !== '}' || opener !== '{') && (token !== ']' || opener !== '[')) return null;
  open.pop();
  return 'next';
}
