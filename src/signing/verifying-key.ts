import type { KeyObject } from 'node:crypto';
import { parseSecret, type SignatureScheme } from './secret.ts';

/** A secret or public key made ready to verify with. Make it once and keep it. */
export interface VerifyingKey {
  readonly scheme: SignatureScheme;
  readonly key: KeyObject;
}

/**
 * Reads a `whsec_` or a `whpk_` (see `readSecret`). A `whsk_` stands for its public key, although a receiver has no need of
 * it. Throws `InvalidSecretError` for anything else.
 */
export function parseVerifyingKey(text: string): VerifyingKey {
  const secret = parseSecret(text);
  return secret.kind === 'symmetric' ? { scheme: 'v1', key: secret.key } : { scheme: 'v1a', key: secret.publicKey };
}
