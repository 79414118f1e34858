/** The beginning of a text, cut so that Postgres takes it: jsonb refuses a NUL and half of a surrogate pair, which a cut may leave. */
export function storableText(text: string, most: number): string {
  return text.slice(0, most).replaceAll('\0', '').toWellFormed();
}
