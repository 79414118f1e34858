/**
 * The form in which texts that differ in case alone are the same. Each code point is mapped to one code point, up and then down, as
 * event-ruler does: `ß` is not `SS`, and the Turkish dotless `ı` folds with `i`.
 */
export function foldCase(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase();
  let folded = '';
  for (const point of text) folded += foldPoint(point);
  return folded;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII.
const ASCII = /^[\x00-\x7f]*$/;

function foldPoint(point: string): string {
  const upper = onePoint(point.toUpperCase(), point);
  return onePoint(upper.toLowerCase(), upper);
}

function onePoint(mapped: string, original: string): string {
  const first = mapped.codePointAt(0);
  return first !== undefined && String.fromCodePoint(first).length === mapped.length ? mapped : original;
}
