import { isAscii } from 'node:buffer';

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const PARAMETER = `[ \\t]*${TOKEN}=(?:${TOKEN}|"(?:[\\x20\\x21\\x23-\\x5b\\x5d-\\x7e]|\\\\[\\x20-\\x7e])*")`;
const MEDIA_TYPE = new RegExp(`^${TOKEN}/${TOKEN}(?:[ \\t]*;(?:${PARAMETER})?)*[ \\t]*$`);
const CHARSET = /(;[ \t]*charset=)("[^"]*"|[^;\s]*)/i;
const MAX_LENGTH = 256;

/** A media type with its parameters, as RFC 2046 and RFC 9110 §8.3.1 write it; those may be empty (§5.6.6). */
export function isMediaType(text: string): boolean {
  return text.length <= MAX_LENGTH && MEDIA_TYPE.test(text);
}

/** Whether it declares JSON: its subtype is `json` or ends with `+json` (json-format.md §3.1.1). */
export function isJsonType(mediaType: string): boolean {
  return /^[^/]+\/(?:[^;]*\+)?json[ \t]*(?:;|$)/i.test(mediaType);
}

/** Whether what it declares is text rather than bytes. */
export function isTextType(mediaType: string): boolean {
  return /^(?:text\/|[^/]+\/(?:[^;]*\+)?(?:xml|yaml|html)[ \t]*(?:;|$))/i.test(mediaType);
}

/** The charset that is declared, in lower case; undefined without one. */
export function charsetOf(mediaType: string): string | undefined {
  return CHARSET.exec(mediaType)?.[2]?.replaceAll('"', '').toLowerCase();
}

/** The media type of a text that is in UTF-8 now: a charset that is not true of its bytes is corrected. */
export function inUtf8(mediaType: string, body: Uint8Array): string {
  const charset = charsetOf(mediaType);
  if (isUtf8(charset) && (charset !== 'us-ascii' || isAscii(body))) return mediaType;
  return mediaType.replace(CHARSET, (_whole, start: string) => `${start}utf-8`);
}

export function isUtf8(charset: string | undefined): boolean {
  return charset === undefined || charset === 'utf-8' || charset === 'utf8' || charset === 'us-ascii';
}
