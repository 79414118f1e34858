import { skipSpace } from './json-slices.ts';

/** Longer texts are not searched: to say where they break takes longer than to find that they do. */
const LONGEST = 64 * 1024;

/** One token of RFC 8259: a string, another scalar, or a mark. */
const TOKEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a string of JSON may hold none of them.
  /(?<string>"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|(?<mark>[[\]{}:,])/y;

/** What may come next. `first…`: right behind the mark that opens, where the one that closes may come too. */
type Wanted = 'value' | 'first value' | 'key' | 'first key' | 'colon' | 'next';

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

/** Index of the first token that cannot stand where it is; the text's length when more should come; null when the text is JSON. */
export function jsonFault(text: string): number | null {
  const open: string[] = [];
  let wanted: Wanted = 'value';
  for (let at = skipSpace(text, 0); at < text.length; at = skipSpace(text, TOKEN.lastIndex)) {
    TOKEN.lastIndex = at;
    const { string, mark } = TOKEN.exec(text)?.groups ?? {};
    // A token that is not one leaves `lastIndex` at 0.
    if (TOKEN.lastIndex === 0) return at;
    const then = after(wanted, string === undefined ? mark : 'string', open);
    if (then === null) return at;
    wanted = then;
  }
  return wanted === 'next' && open.length === 0 ? null : text.length;
}

/** What is wanted behind a token; null where it may not stand. @param token a mark, `string`, or undefined for another scalar */
function after(wanted: Wanted, token: string | undefined, open: string[]): Wanted | null {
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

function afterValue(wanted: Wanted, token: string | undefined, open: string[]): Wanted | null {
  if (token === undefined || token === 'string') return 'next';
  if (token === ']' && wanted === 'first value') return closed(token, open);
  if (token !== '{' && token !== '[') return null;
  open.push(token);
  return token === '{' ? 'first key' : 'first value';
}

function closed(token: string | undefined, open: string[]): Wanted | null {
  const opener = open.at(-1);
  if ((token !== '}' || opener !== '{') && (token !== ']' || opener !== '[')) return null;
  open.pop();
  return 'next';
}
