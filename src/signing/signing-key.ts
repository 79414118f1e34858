import type { KeyObject } from 'node:crypto';
import { HmacKey } from './hmac-key.ts';
import { InvalidSecretError, parseSecret } from './secret.ts';

/** A secret made ready to sign with. Making one costs as much as several signatures: make it once and keep it. */
export type SigningKey =
  | { readonly scheme: 'v1'; readonly key: HmacKey }
  | { readonly scheme: 'v1a'; readonly key: KeyObject };

/** Reads a `whsec_` or a `whsk_` (see `readSecret`). Throws `InvalidSecretError` for anything else. */
export function parseSigningKey(text: string): SigningKey {
  const secret = parseSecret(text);
  switch (secret.kind) {
    case 'symmetric':
      return { scheme: 'v1', key: new HmacKey(secret.key) };
    case 'private':
      return { scheme: 'v1a', key: secret.privateKey };
    case 'public':
      throw new InvalidSecretError('cannot_sign', 'A whpk_ key verifies; signing needs its whsk_ key.');
  }
}
