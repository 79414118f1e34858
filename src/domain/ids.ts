import { randomFillSync } from 'node:crypto';

/**
 * Ids are made here and nowhere else. Inside, an event is a 16-byte UUIDv7 (RFC 9562 §5.7), so that it sorts by time and its
 * day partition follows from its bytes. Outside, ids are `<prefix>_<base32>`: lower-case Crockford alphabet, no dots, sortable
 * like the bytes beneath them.
 */

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const VALUES = new Map([...ALPHABET].map((letter, value) => [letter, value]));

export type IdPrefix = 'evt' | 'dlv' | 'ep' | 'key' | 'rpl' | 'sec' | 'req' | 'src' | 'tenant';

const LETTERS = Uint8Array.from(ALPHABET, (letter) => letter.charCodeAt(0));

/** Where ids are put together, letter by letter: a string that grows by single letters costs several times as much. */
const scratch = Buffer.alloc(256);

/** Encodes bytes, first bits first; the last letter is padded with zero bits. 16 bytes become 26 letters, 20 become 32. */
export function encodeBase32(bytes: Uint8Array): string {
  const space = bytes.length <= 128 ? scratch : Buffer.allocUnsafe(bytes.length * 2);
  return space.toString('latin1', 0, writeBase32(space, bytes, 0));
}

/** @returns where the letters end */
function writeBase32(space: Uint8Array, bytes: Uint8Array, at: number): number {
  let end = at;
  let buffer = 0;
  let bits = 0;
  for (let i = 0; i < bytes.length; i++) {
    buffer = (buffer << 8) | bytes[i]!;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      space[end++] = LETTERS[(buffer >>> bits) & 31]!;
    }
    buffer &= (1 << bits) - 1;
  }
  if (bits > 0) space[end++] = LETTERS[(buffer << (5 - bits)) & 31]!;
  return end;
}

/** The inverse of `encodeBase32` for exactly `length` bytes; null for anything that it would not have written. */
export function decodeBase32(text: string, length: number): Uint8Array | null {
  if (text.length !== Math.ceil((length * 8) / 5)) return null;
  const bytes = new Uint8Array(length);
  let buffer = 0;
  let bits = 0;
  let at = 0;
  for (const letter of text) {
    const value = VALUES.get(letter);
    if (value === undefined) return null;
    buffer = (buffer << 5) | value;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (buffer >>> bits) & 255;
    }
    buffer &= (1 << bits) - 1;
  }
  return buffer === 0 ? bytes : null;
}

/** Where `uuidBytes` leaves them: nobody keeps it. */
const made = new Uint8Array(16);

/**
 * A new id outside the hot path: 16 bytes, the first 6 of them the time, so that ids list in order of creation.
 * @param nowMs Postgres's time, as for `newUuid`: what one process has made of each is held against the next of the other
 */
export function newId(prefix: IdPrefix, nowMs: number): string {
  return `${prefix}_${encodeBase32(uuidBytes(nowMs))}`;
}

/** Eight for the id, and one for where a millisecond begins to count. */
const ID_BYTES = 9;
// Randomness is drawn in blocks: one system call for 512 ids instead of one each.
const pool = Buffer.allocUnsafe(ID_BYTES * 512);
let drawn = pool.length;
/** Longest step back of the clock that is held, in ms: more than a measurement of it is wrong by, less than makes an event's partition wrong. */
const MOST_HELD_MS = 5_000;
let lastMs = 0;
let counter = 0;

/**
 * A UUIDv7 in text form. Ids made by one process rise strictly: within a millisecond the 12 bits of `rand_a` count up
 * (RFC 9562 §6.2, method 1), and a clock that steps back by a little holds the last millisecond. One that steps back by more was wrong before.
 * @param nowMs Postgres's time, from which the partition of an event follows; never the host's, which may be any
 */
export function newUuid(nowMs: number): string {
  return formatUuid(uuidBytes(nowMs));
}

/** They hold until the next ones. */
function uuidBytes(nowMs: number): Uint8Array {
  if (drawn >= pool.length) {
    randomFillSync(pool);
    drawn = 0;
  }
  if (nowMs > lastMs || lastMs - nowMs > MOST_HELD_MS) {
    lastMs = nowMs;
    counter = pool[drawn + 8]!;
  } else if (++counter > 0xfff) {
    lastMs += 1;
    counter = 0;
  }
  const bytes = made;
  const high = Math.floor(lastMs / 0x10000);
  bytes[0] = high >>> 24;
  bytes[1] = high >>> 16;
  bytes[2] = high >>> 8;
  bytes[3] = high;
  bytes[4] = lastMs >>> 8;
  bytes[5] = lastMs;
  bytes[6] = 0x70 | (counter >>> 8);
  bytes[7] = counter;
  bytes[8] = 0x80 | (pool[drawn]! & 0x3f);
  for (let i = 1; i < 8; i++) bytes[8 + i] = pool[drawn + i]!;
  drawn += ID_BYTES;
  return bytes;
}

const DIGITS = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));
const NIBBLES = new Uint8Array(128);
for (let digit = 0; digit < 16; digit++) {
  NIBBLES[DIGITS[digit]!] = digit;
  NIBBLES[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}
const DASH = '-'.charCodeAt(0);
/** Where the two digits of each byte begin in `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`. */
const PLACES = Uint8Array.from([0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34]);

/** Sixteen bytes as `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`. */
export function formatUuid(bytes: Uint8Array): string {
  scratch[8] = scratch[13] = scratch[18] = scratch[23] = DASH;
  for (let i = 0; i < 16; i++) {
    const place = PLACES[i]!;
    scratch[place] = DIGITS[bytes[i]! >>> 4]!;
    scratch[place + 1] = DIGITS[bytes[i]! & 15]!;
  }
  return scratch.toString('latin1', 0, 36);
}

/** Writes the sixteen bytes of a UUID in text form. The caller vouches that it is one. */
export function writeUuid(bytes: Uint8Array, uuid: string, at: number): void {
  for (let i = 0; i < 16; i++) {
    const place = PLACES[i]!;
    bytes[at + i] = (NIBBLES[uuid.charCodeAt(place)]! << 4) | NIBBLES[uuid.charCodeAt(place + 1)]!;
  }
}

/** The same from the letters of the text, which begin at `from`. */
export function writeUuidLetters(bytes: Uint8Array, letters: Uint8Array, from: number, at: number): void {
  for (let i = 0; i < 16; i++) {
    const place = from + PLACES[i]!;
    bytes[at + i] = (NIBBLES[letters[place]!]! << 4) | NIBBLES[letters[place + 1]!]!;
  }
}

/** The sixteen bytes of a UUID in text form. The caller vouches that it is one. */
export function parseUuid(uuid: string): Buffer {
  const bytes = Buffer.allocUnsafe(16);
  writeUuid(bytes, uuid, 0);
  return bytes;
}

/** The smallest UUID of a millisecond: the boundary of a day partition, the start of a time range. */
export function uuidFloor(ms: number): string {
  const hex = Math.max(0, Math.floor(ms)).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-0000-0000-000000000000`;
}

/** The smallest id that `newId` makes in a millisecond. */
export function idFloor(prefix: IdPrefix, ms: number): string {
  return `${prefix}_${encodeBase32(parseUuid(uuidFloor(ms)))}`;
}

/** Milliseconds since 1970 at which a UUIDv7 was made. */
export function uuidTime(uuid: string): number {
  let ms = 0;
  for (let i = 0; i < 6; i++) {
    const place = PLACES[i]!;
    ms = ms * 256 + (NIBBLES[uuid.charCodeAt(place)]! << 4) + NIBBLES[uuid.charCodeAt(place + 1)]!;
  }
  return ms;
}

/** `evt_…` for an event that came without an id of its own. */
export function eventIdOf(uuid: string): string {
  writeUuid(eventKey, uuid, 0);
  scratch.write('evt_', 0, 'latin1');
  return scratch.toString('latin1', 0, writeBase32(scratch, eventKey, 4));
}

const eventKey = new Uint8Array(16);

/** The UUID inside an `evt_…` of ours; null for a producer's own id. */
export function parseEventId(id: string): string | null {
  if (!id.startsWith('evt_')) return null;
  const bytes = decodeBase32(id.slice(4), 16);
  return bytes === null || bytes[6]! >>> 4 !== 7 ? null : formatUuid(bytes);
}

/** A delivery is an event to an endpoint, and its id says so: nothing needs to be stored or looked up to know either. */
export function deliveryIdOf(eventUuid: string, endpointNum: number): string {
  writeUuid(deliveryKey, eventUuid, 0);
  deliveryKey.writeUInt32BE(endpointNum, 16);
  scratch.write('dlv_', 0, 'latin1');
  return scratch.toString('latin1', 0, writeBase32(scratch, deliveryKey, 4));
}

const deliveryKey = Buffer.alloc(20);

/** The inverse of `deliveryIdOf`; null for anything else. */
export function parseDeliveryId(id: string): { eventUuid: string; endpointNum: number } | null {
  if (!id.startsWith('dlv_')) return null;
  const bytes = decodeBase32(id.slice(4), 20);
  if (bytes === null) return null;
  const endpointNum = Buffer.from(bytes).readUInt32BE(16);
  return endpointNum > 0x7fffffff ? null : { eventUuid: formatUuid(bytes.subarray(0, 16)), endpointNum };
}
