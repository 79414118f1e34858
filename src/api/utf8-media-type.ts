const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const QUOTED = '"(?:[^"\\\\]|\\\\.)*"';
/** A charset that is not UTF-8 is none of these. */
const PARAMETER = `(?:charset="?utf-?8"?|(?!charset=)${TOKEN}=(?:${TOKEN}|${QUOTED}))`;

/**
 * A pattern of a content type, in UTF-8 or without a charset. Other parameters say nothing: for JSON none is defined, and adding one has no
 * effect on recipients (RFC 8259 §11). They may be empty, as after a `;` at the end (RFC 9110 §5.6.6).
 * @param name the media type as the source of a regular expression
 */
export function utf8MediaType(name: string): RegExp {
  // Each stretch of spaces can be taken in one way alone, so that a long one costs no more than its length.
  return new RegExp(`^${name}(?:[ \\t]*;(?:[ \\t]*${PARAMETER})?)*[ \\t]*$`, 'i');
}
