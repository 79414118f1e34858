/** A text with `*` in it: the literals between the stars, in order. One literal alone means that there is no star. */
export interface Wildcard {
  readonly literals: readonly string[];
}

export type WildcardReading =
  | { readonly ok: true; readonly wildcard: Wildcard }
  | { readonly ok: false; readonly message: string };

export const MAX_STARS = 16;

/** Reads `*` as any text, `\*` as a star and `\\` as a backslash; two stars in a row and any other escape are refused, as in event-ruler. */
export function readWildcard(text: string): WildcardReading {
  const literals: string[] = [''];
  for (let i = 0; i < text.length; i++) {
    let char = text[i]!;
    if (char === '*') {
      if (text[i + 1] === '*') return { ok: false, message: 'expected no two * in a row: one stands for any text' };
      literals.push('');
      continue;
    }
    if (char === '\\') {
      char = text[++i] ?? '';
      if (char !== '*' && char !== '\\') {
        return { ok: false, message: 'expected \\ before * or \\ alone: \\* is a star, \\\\ a backslash' };
      }
    }
    literals[literals.length - 1] += char;
  }
  if (literals.length - 1 > MAX_STARS) return { ok: false, message: `expected at most ${MAX_STARS} times *` };
  return { ok: true, wildcard: { literals } };
}

/** How much wildcards have read of texts, in units that a search by hand (`knuthMorrisPratt`) goes over in the same time. */
interface Reading {
  units: number;
}

/**
 * Whether a text matches the wildcard. The first place where a literal fits is as good as any later one, so nothing is ever taken back:
 * time is linear in the text and the wildcard.
 * @param reading is added to
 */
export function matchesWildcard({ literals }: Wildcard, text: string, reading?: Reading): boolean {
  const first = literals[0]!;
  if (literals.length === 1) return text === first;
  const last = literals.at(-1)!;
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  const end = text.length - last.length;
  let at = first.length;
  for (let i = 1; i < literals.length - 1; i++) {
    const found = indexWithin(text, literals[i]!, at, end);
    if (reading !== undefined) reading.units += costOf(literals[i]!, (found === -1 ? end : found) - at);
    if (found === -1) return false;
    at = found + literals[i]!.length;
  }
  return true;
}

/** Up to this length of a literal the engine's search is quick, whatever the text. */
const SHORT_LITERAL = 8;

/**
 * How many units the engine goes over while a search by hand goes over one, if the literal's first unit is rare in the text. If it is not,
 * the engine is as slow.
 */
const QUICK = 32;

/** @param length of the text that was gone over */
function costOf({ length: literal }: string, length: number): number {
  return literal > SHORT_LITERAL ? length : Math.ceil(length / QUICK);
}

/** Where the literal begins between the two places; -1 when nowhere. */
function indexWithin(text: string, literal: string, from: number, end: number): number {
  if (literal.length > SHORT_LITERAL) return knuthMorrisPratt(text, literal, from, end);
  const found = text.indexOf(literal, from);
  return found === -1 || found + literal.length > end ? -1 : found;
}

/** The engine's own search may need the product of both lengths (`aaa…b` in `aaa…`); this one never does. */
function knuthMorrisPratt(text: string, literal: string, from: number, end: number): number {
  const table = failuresOf(literal);
  let matched = 0;
  for (let i = from; i < end; i++) {
    const code = text.charCodeAt(i);
    while (matched > 0 && literal.charCodeAt(matched) !== code) matched = table[matched - 1]!;
    if (literal.charCodeAt(matched) === code) matched++;
    if (matched === literal.length) return i + 1 - matched;
  }
  return -1;
}

const remembered = new Map<string, Uint16Array>();
const REMEMBERED_LITERALS = 10_000;

/** For each length of a match, how much of it is left when the next character does not fit. */
function failuresOf(literal: string): Uint16Array {
  const known = remembered.get(literal);
  if (known !== undefined) return known;
  const table = new Uint16Array(literal.length);
  for (let i = 1, matched = 0; i < literal.length; i++) {
    while (matched > 0 && literal.charCodeAt(matched) !== literal.charCodeAt(i)) matched = table[matched - 1]!;
    if (literal.charCodeAt(matched) === literal.charCodeAt(i)) matched++;
    table[i] = matched;
  }
  if (remembered.size >= REMEMBERED_LITERALS) remembered.clear();
  remembered.set(literal, table);
  return table;
}
