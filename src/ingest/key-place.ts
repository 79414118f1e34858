/**
 * Where in their index a producer's key, event id or place in a source goes: 24 bits that are the same for those that are neighbours, which are
 * likely to come soon after each other. Most are counted up, or begin with a time; by a hash alone each would touch a page of its own.
 *
 * Neighbours have in common: a UUIDv7 (RFC 9562 §5.7) or ULID of the same minute or so, whatever stands before it; without one, everything but the
 * end of the last number (`hashNumbered`). What is taken for neighbours and is not, or the other way round, costs locality and nothing else.
 * Tenants have their places in common: often one counter goes through the events of all, and always one clock.
 * The hash is quick and no secret: a producer can choose where its keys go, and can do no more by it than fill pages that others write too.
 */
export function keyPlace(text: string): number {
  const at = findTimeId(text);
  if (at === -1) return mix(hashNumbered(BASIS, text, 0));
  const isUuid = text.charCodeAt(at + 8) === DASH;
  const known = hashPart(BASIS, text, at, at + (isUuid ? UUID_MINUTE : ULID_HALF_MINUTE));
  const end = at + (isUuid ? UUID_LENGTH : ULID_LENGTH);
  // What is longer may well be random.
  return mix(text.length - end > SHORT ? known : hashNumbered(known, text, end));
}

const UUID_LENGTH = 36;
const ULID_LENGTH = 26;
/** Digits of the time that stay the same for 2^16 ms. */
const UUID_MINUTE = 8;
/** Letters of the time that stay the same for 2^15 ms. Our own event ids are written likewise, from the other end: 2^13 ms. */
const ULID_HALF_MINUTE = 7;
const SHORT = 20;
/** A longer number is a time in units shorter than seconds, or a Snowflake, which begins with one. */
const LEADING_DIGITS = 8;
const COUNTED_DIGITS = 3;

/**
 * Where the last UUIDv7 or ULID is that stands by itself, between what is neither letter nor digit; -1 without one. Both begin with a zero and
 * something else from 2004 until 2527; two zeros begin a number that is filled up.
 */
function findTimeId(text: string): number {
  for (let i = text.length - ULID_LENGTH; i >= 0; i--) {
    if (text.charCodeAt(i) !== ZERO || text.charCodeAt(i + 1) === ZERO) continue;
    if (i > 0 && isOf(WORD, text.charCodeAt(i - 1))) continue;
    if (isUuid7(text, i) || isUlid(text, i)) return i;
  }
  return -1;
}

function isUuid7(text: string, at: number): boolean {
  if (text.charCodeAt(at + 8) !== DASH || text.charCodeAt(at + 14) !== SEVEN) return false;
  if (!isOf(VARIANT, text.charCodeAt(at + 19)) || isOf(WORD, text.charCodeAt(at + UUID_LENGTH))) return false;
  for (let i = 0; i < UUID_LENGTH; i++) {
    const unit = text.charCodeAt(at + i);
    if (i === 8 || i === 13 || i === 18 || i === 23 ? unit !== DASH : !isOf(HEX, unit)) return false;
  }
  return true;
}

function isUlid(text: string, at: number): boolean {
  if (isOf(WORD, text.charCodeAt(at + ULID_LENGTH))) return false;
  for (let i = 0; i < ULID_LENGTH; i++) if (!isOf(CROCKFORD, text.charCodeAt(at + i))) return false;
  return true;
}

/** Goes on with the text from there, without the end of its last number: three digits, and of a long one what follows its first eight. */
function hashNumbered(hash: number, text: string, from: number): number {
  let end = text.length;
  while (end > from && !isDigit(text.charCodeAt(end - 1))) end--;
  let start = end;
  while (start > from && isDigit(text.charCodeAt(start - 1))) start--;
  let first = start;
  while (first < end && text.charCodeAt(first) === ZERO) first++;
  const kept = Math.max(start, end - Math.max(COUNTED_DIGITS, end - first - LEADING_DIGITS));
  return hashPart(hashPart(hash, text, from, kept), text, end, text.length);
}

const BASIS = 0x811c9dc5;

/** FNV-1a over UTF-16 units. */
function hashPart(hash: number, text: string, from: number, to: number): number {
  let mixed = hash;
  for (let i = from; i < to; i++) mixed = Math.imul(mixed ^ text.charCodeAt(i), 0x01000193);
  return mixed;
}

/** The last step of MurmurHash3: FNV-1a alone leaves the upper bits of short texts alike. */
function mix(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 8;
}

const WORD = 1;
const HEX = 2;
const CROCKFORD = 4;
const VARIANT = 8;
const KINDS = new Uint8Array(128);
for (const [kind, letters] of [
  [WORD, '0123456789abcdefghijklmnopqrstuvwxyz'],
  [HEX, '0123456789abcdef'],
  [CROCKFORD, '0123456789abcdefghjkmnpqrstvwxyz'],
  [VARIANT, '89ab'],
] as const) {
  for (const letter of letters + letters.toUpperCase()) KINDS[letter.charCodeAt(0)]! |= kind;
}

const ZERO = '0'.charCodeAt(0);
const SEVEN = '7'.charCodeAt(0);
const DASH = '-'.charCodeAt(0);

function isDigit(unit: number): boolean {
  return unit >= ZERO && unit < ZERO + 10;
}

/** Of NaN, past the end of the text: no. */
function isOf(kind: number, unit: number): boolean {
  return unit < 128 && (KINDS[unit]! & kind) !== 0;
}
