import { timingSafeEqual, verify } from 'node:crypto';
import { type HeaderFault, type HeaderSource, readReceivedHeaders } from './received-headers.ts';
import { hmacSignature, joinSignedContent, signedPrefix } from './signed-content.ts';
import type { VerifyingKey } from './verifying-key.ts';

export type VerifyFault = HeaderFault | 'too_old' | 'too_new' | 'body_not_raw' | 'no_match';

/** `timestamp` is when the attempt was signed, in seconds since 1970. `id` is the same on every retry of one event. */
export type Verification =
  | { readonly ok: true; readonly id: string; readonly timestamp: number }
  | { readonly ok: false; readonly reason: VerifyFault };

export interface VerifyOptions {
  /** How far the timestamp may lie from now, either way. 300 unless given. */
  readonly toleranceSeconds?: number | undefined;
  /** The receiver's clock. `Date.now()` unless given. */
  readonly nowMs?: number | undefined;
}

/**
 * Verifies a request as Standard Webhooks 1.0.0 ("Verifying signatures") asks. One signature that matches one key is enough;
 * signatures of versions unknown here are passed over. Bad input is an answer, never an exception.
 *
 * `body` must be the bytes as they arrived (a string is taken as UTF-8): JSON that was parsed and printed again is another
 * body. Mind that the answer is an object, hence always truthy: read `ok`, or call `requireSignature`.
 */
export function verifySignature(
  keys: readonly VerifyingKey[],
  headers: HeaderSource,
  body: Uint8Array | string,
  options: VerifyOptions = {},
): Verification {
  const received = readReceivedHeaders(headers);
  if (!received.ok) return received;
  const timestamp = Number(received.timestamp);
  const stale = findStaleness(timestamp, options);
  if (stale !== null) return { ok: false, reason: stale };
  const bytes = rawBytes(body);
  if (bytes === null) return { ok: false, reason: 'body_not_raw' };
  const prefix = signedPrefix(received.id, received.timestamp);
  const candidates = received.signatures.split(' ', MAX_SIGNATURES);
  const matched = keys.some((key) => matchesKey(key, candidates, prefix, bytes));
  return matched ? { ok: true, id: received.id, timestamp } : { ok: false, reason: 'no_match' };
}

// Bounds the work that a stranger can ask for. A sender lists its newest secret first.
const MAX_SIGNATURES = 32;
const DEFAULT_TOLERANCE_SECONDS = 300;
const HMAC_SHA256_BASE64_LENGTH = 44;
const ED25519_BASE64_LENGTH = 88;

// Written so that a tolerance or a clock that is NaN accepts nothing.
function findStaleness(timestamp: number, options: VerifyOptions): 'too_old' | 'too_new' | null {
  const tolerance = options.toleranceSeconds ?? DEFAULT_TOLERANCE_SECONDS;
  const age = Math.floor((options.nowMs ?? Date.now()) / 1000) - timestamp;
  if (!(age <= tolerance)) return 'too_old';
  return -age <= tolerance ? null : 'too_new';
}

function rawBytes(body: unknown): Uint8Array | null {
  if (typeof body === 'string') return Buffer.from(body);
  // Not `instanceof`: a test runner's sandbox has a Uint8Array of its own.
  return ArrayBuffer.isView(body) ? new Uint8Array(body.buffer, body.byteOffset, body.byteLength) : null;
}

function matchesKey(key: VerifyingKey, candidates: readonly string[], prefix: string, body: Uint8Array): boolean {
  switch (key.scheme) {
    case 'v1':
      return matchesHmac(key, signaturesOf('v1,', HMAC_SHA256_BASE64_LENGTH, candidates), prefix, body);
    case 'v1a':
      return matchesEd25519(key, signaturesOf('v1a,', ED25519_BASE64_LENGTH, candidates), prefix, body);
  }
}

function signaturesOf(version: string, length: number, candidates: readonly string[]): string[] {
  const fitting = candidates.filter((text) => text.length === version.length + length && text.startsWith(version));
  return fitting.map((text) => text.slice(version.length));
}

function matchesHmac({ key }: VerifyingKey, signatures: readonly string[], prefix: string, body: Uint8Array): boolean {
  if (signatures.length === 0) return false;
  const expected = Buffer.from(hmacSignature(key, prefix, body));
  return signatures.some((text) => {
    const given = Buffer.from(text);
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}

function matchesEd25519(
  { key }: VerifyingKey,
  signatures: readonly string[],
  prefix: string,
  body: Uint8Array,
): boolean {
  if (signatures.length === 0) return false;
  const content = joinSignedContent(prefix, body);
  return signatures.some((text) => {
    const signature = Buffer.from(text, 'base64');
    return signature.toString('base64') === text && verify(null, content, key, signature);
  });
}
