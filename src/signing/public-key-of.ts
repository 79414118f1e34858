import { parseSecret, rawPublicKey } from './secret.ts';

/** The `whpk_` that a receiver verifies with, of a `whsk_` (or of itself); null for a `whsec_`. Throws `InvalidSecretError`. */
export function publicKeyOf(text: string): string | null {
  const secret = parseSecret(text);
  return secret.kind === 'symmetric' ? null : `whpk_${rawPublicKey(secret.publicKey).toString('base64')}`;
}
