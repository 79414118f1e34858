import { CORE_ATTRIBUTES, type CoreAttribute } from './cloud-event.ts';
import { isMediaType } from './media-type.ts';

/** Bounds of ours; the specification has none. Every attribute must also fit into a header of a delivery. */
const MAX_ID = 1024;
const MAX_URI = 2048;
const MAX_TEXT = 4096;
const MAX_NAME = 64;

/** What the type String does not take: controls, noncharacters and surrogate halves (spec.md, "Type System"). */
const NOT_TEXT = /[\p{Cc}\p{Noncharacter_Code_Point}]/u;
/** RFC 3986: the characters that a reference is made of. */
const URI_CHARACTERS = /^(?:[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/;
const URI_SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:/;
const NAME = /^[a-z0-9]+$/;

const core: ReadonlySet<string> = new Set(CORE_ATTRIBUTES);
/** Names that an extension cannot have: `data` is how formats call what is no attribute. */
const taken: ReadonlySet<string> = new Set([...CORE_ATTRIBUTES, 'data']);

export function isCoreAttribute(name: string): name is CoreAttribute {
  return core.has(name);
}

/** Why an extension cannot have this name; null when it can. */
export function extensionNameProblem(name: string): string | null {
  if (taken.has(name)) return 'is not a name that an extension may have';
  if (!NAME.test(name)) return 'is not an attribute: their names are lower-case letters and digits';
  return name.length > MAX_NAME ? `names of attributes have at most ${MAX_NAME} characters` : null;
}

/** What is wrong with a core attribute's value; null when nothing is. */
export function coreProblem(name: CoreAttribute, value: unknown): string | null {
  if (typeof value !== 'string') return 'expected text';
  if (value === '') return 'must not be empty';
  switch (name) {
    case 'specversion':
      return value === '1.0' ? null : 'expected "1.0": no other version of CloudEvents is taken';
    case 'source':
      return uriProblem(value, /(?:)/, 'a URI reference (RFC 3986) such as https://example.com/orders');
    case 'dataschema':
      return uriProblem(value, URI_SCHEME, 'a URI (RFC 3986) such as https://example.com/order.json');
    case 'datacontenttype':
      return isMediaType(value) ? null : 'expected a media type (RFC 2046) such as application/json';
    case 'id':
      return textProblem(value, MAX_ID);
    case 'type':
    case 'subject':
    case 'time':
      return textProblem(value, MAX_TEXT);
  }
}

/** What is wrong with an extension's value; null when nothing is. */
export function extensionProblem(value: unknown): string | null {
  switch (typeof value) {
    case 'boolean':
      return null;
    case 'number':
      return isInteger32(value) ? null : 'expected a whole number of 32 bits; write others as text';
    case 'string':
      return textProblem(value, MAX_TEXT);
    default:
      return 'expected text, a boolean or a whole number';
  }
}

function textProblem(text: string, most: number): string | null {
  if (text.length > most) return `expected at most ${most} characters`;
  const isText = text.isWellFormed() && !NOT_TEXT.test(text);
  return isText ? null : 'expected text without control characters';
}

function uriProblem(text: string, start: RegExp, what: string): string | null {
  if (text.length > MAX_URI) return `expected at most ${MAX_URI} characters`;
  return start.test(text) && URI_CHARACTERS.test(text) ? null : `expected ${what}`;
}

function isInteger32(value: number): boolean {
  return Number.isInteger(value) && value >= -(2 ** 31) && value < 2 ** 31;
}
