import { z } from 'zod';

/** What Postgres cannot hold (NUL), what cannot be encoded (half a surrogate pair), and what plays tricks where text is shown. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/u;

/** Text that people write for people: line breaks and tabs are fine, other control characters are not. */
export function plainText(least: number, most: number) {
  return z
    .string()
    .trim()
    .min(least)
    .max(most)
    .refine((text) => text.isWellFormed() && !CONTROL.test(text), 'expected text without control characters');
}
