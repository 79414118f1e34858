// Printable ASCII without the quote and the backslash: JSON writes it as it is.
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/** `JSON.stringify` of a text, at a third of the price where nothing has to be escaped, as in nearly every id. */
export function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}
