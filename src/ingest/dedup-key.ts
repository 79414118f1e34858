import { hash } from 'node:crypto';
import { keyPlace } from './key-place.ts';

/**
 * What a tenant's idempotency key (`k`), event id (`i`) or CloudEvent's source and id (`c`) is stored as, a UUID: 24 bits that say where in the index
 * it goes (`keyPlace`), then the first 104 bits of SHA-256. Keys of any length cost the same in Postgres, and none is kept in the clear.
 *
 * The tenant is part of what is hashed, so that nobody comes upon another's key but by a second preimage of those 104 bits. The 24 resist nothing: whoever
 * chooses texts chooses them. Two texts of one tenant that collide take 2^52 hashes to find; the second of them is a conflict, unless its body is the same.
 */
export function dedupKey(tenantNum: number, kind: 'k' | 'i' | 'c', text: string): string {
  return placed(`${tenantNum}\0${kind}\0${text}`, text);
}

/** What the place of a message in its source is stored as, likewise: the same place is the same message, whatever it says. */
export function sourceKey(sourceId: string, identity: string): string {
  return placed(`${sourceId}\0s\0${identity}`, identity);
}

/** The first 16 bytes of the SHA-256 of a text, written as a UUID. */
export function digestUuid(text: string): string {
  const hex = hash('sha256', text, 'hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

/** @param claim all that is hashed @param text the part of it that is the producer's own */
function placed(claim: string, text: string): string {
  const place = keyPlace(text);
  const hex = hash('sha256', claim, 'hex');
  const first = `${THREE_DIGITS[place >>> 12]}${THREE_DIGITS[place & 0xfff]}${hex.slice(0, 2)}`;
  return `${first}-${hex.slice(2, 6)}-${hex.slice(6, 10)}-${hex.slice(10, 14)}-${hex.slice(14, 26)}`;
}

/** Looked up: `toString` and `padStart` cost half as much as the hash. */
const THREE_DIGITS = Array.from({ length: 0x1000 }, (_, bits) => bits.toString(16).padStart(3, '0'));
