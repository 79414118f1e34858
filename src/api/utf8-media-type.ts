/**
 * A pattern of a content type, in UTF-8 or without a charset. Parameters may be empty, as after a `;` at the end (RFC 9110 §5.6.6).
 * @param name the media type as the source of a regular expression
 */
export function utf8MediaType(name: string): RegExp {
  // Each stretch of spaces can be taken in one way alone, so that a long one costs no more than its length.
  return new RegExp(`^${name}(?:[ \\t]*;(?:[ \\t]*charset="?utf-?8"?)?)*[ \\t]*$`, 'i');
}
