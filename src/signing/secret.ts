import { createPrivateKey, createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';

/** Signature schemes of Standard Webhooks 1.0.0: `v1` is HMAC-SHA256, `v1a` is Ed25519. */
export type SignatureScheme = 'v1' | 'v1a';

/** Key objects, not bytes: they print as an empty object, and HMAC with one is six times as fast as with a Buffer. */
export type Secret =
  | { readonly kind: 'symmetric'; readonly key: KeyObject }
  | { readonly kind: 'private'; readonly privateKey: KeyObject; readonly publicKey: KeyObject }
  | { readonly kind: 'public'; readonly publicKey: KeyObject };

export type SecretFault = 'unknown_prefix' | 'bad_base64' | 'bad_length' | 'key_mismatch' | 'cannot_sign';

/** `detail` is a sentence for people; it never holds a part of the secret. */
export type SecretReading =
  | { readonly ok: true; readonly secret: Secret }
  | { readonly ok: false; readonly fault: SecretFault; readonly detail: string };

/** Thrown where a malformed secret is a misconfiguration. Its message never holds a part of the secret. */
export class InvalidSecretError extends Error {
  readonly fault: SecretFault;

  constructor(fault: SecretFault, detail: string) {
    super(detail);
    this.name = 'InvalidSecretError';
    this.fault = fault;
  }
}

/**
 * Reads a secret as Standard Webhooks 1.0.0 ("Signature scheme") serialises it: a prefix, then padded standard base64.
 *
 * - `whsec_`: 24 to 64 random bytes (v1).
 * - `whsk_`: an Ed25519 private key (v1a). The specification does not say in which form. Ours is the 64 bytes of libsodium, Go
 *   and Svix, the seed followed by the public key; the bare 32-byte seed (RFC 8032 §5.1.5) is read as well.
 * - `whpk_`: the 32 bytes of an Ed25519 public key (v1a).
 */
export function readSecret(text: string): SecretReading {
  const prefix = typeof text === 'string' ? PREFIXES.find((candidate) => text.startsWith(candidate)) : undefined;
  if (prefix === undefined) {
    return refuse('unknown_prefix', 'A secret begins with whsec_ (v1), whsk_ (v1a, private) or whpk_ (v1a, public).');
  }
  if (text.length > MAX_SECRET_LENGTH)
    return refuse('bad_length', `A ${prefix} of ${text.length} characters is too long.`);
  const bytes = decodeBase64(text.slice(prefix.length));
  if (bytes === null) {
    return refuse(
      'bad_base64',
      `After ${prefix} comes standard base64 with its padding, and no space, quote or line end.`,
    );
  }
  switch (prefix) {
    case 'whsec_':
      return readSymmetric(bytes);
    case 'whsk_':
      return readPrivate(bytes);
    case 'whpk_':
      return readPublic(bytes);
  }
}

/** As `readSecret`, for callers to whom a malformed secret is a misconfiguration. Throws `InvalidSecretError`. */
export function parseSecret(text: string): Secret {
  const reading = readSecret(text);
  if (!reading.ok) throw new InvalidSecretError(reading.fault, reading.detail);
  return reading.secret;
}

/** The 32 bytes of an Ed25519 public key. */
export function rawPublicKey(publicKey: KeyObject): Buffer {
  return publicKey.export({ type: 'spki', format: 'der' }).subarray(SPKI_HEADER.length);
}

/** The Ed25519 private key of a 32-byte seed. */
export function privateKeyOfSeed(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_HEADER, seed]), format: 'der', type: 'pkcs8' });
}

const PREFIXES = ['whsec_', 'whsk_', 'whpk_'] as const;
const MAX_SECRET_LENGTH = 128;

// The constant DER in front of a raw Ed25519 key (RFC 8410 §4 and §7); node:crypto reads no raw keys.
const SPKI_HEADER = Buffer.from('302a300506032b6570032100', 'hex');
const PKCS8_HEADER = Buffer.from('302e020100300506032b657004220420', 'hex');

function readSymmetric(bytes: Buffer): SecretReading {
  if (bytes.length < 24 || bytes.length > 64) {
    return refuse('bad_length', `A whsec_ secret holds 24 to 64 bytes; this one holds ${bytes.length}.`);
  }
  return { ok: true, secret: { kind: 'symmetric', key: createSecretKey(bytes) } };
}

function readPrivate(bytes: Buffer): SecretReading {
  if (bytes.length !== 32 && bytes.length !== 64) {
    return refuse(
      'bad_length',
      `A whsk_ key holds 64 bytes (seed and public key) or 32 (seed); this one holds ${bytes.length}.`,
    );
  }
  const privateKey = privateKeyOfSeed(bytes.subarray(0, 32));
  const publicKey = createPublicKey(privateKey);
  if (bytes.length === 64 && !rawPublicKey(publicKey).equals(bytes.subarray(32))) {
    return refuse('key_mismatch', 'The two halves of this whsk_ key do not belong together.');
  }
  return { ok: true, secret: { kind: 'private', privateKey, publicKey } };
}

function readPublic(bytes: Buffer): SecretReading {
  if (bytes.length !== 32) return refuse('bad_length', `A whpk_ key holds 32 bytes; this one holds ${bytes.length}.`);
  const publicKey = createPublicKey({ key: Buffer.concat([SPKI_HEADER, bytes]), format: 'der', type: 'spki' });
  return { ok: true, secret: { kind: 'public', publicKey } };
}

// Buffer.from skips what is not base64, so a typing error would silently become another key.
function decodeBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}

function refuse(fault: SecretFault, detail: string): SecretReading {
  return { ok: false, fault, detail };
}
