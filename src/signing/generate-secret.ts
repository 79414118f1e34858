import { createPublicKey, randomBytes } from 'node:crypto';
import { privateKeyOfSeed, rawPublicKey, type SignatureScheme } from './secret.ts';

/** A new secret: for `v1` a `whsec_` of 32 random bytes, for `v1a` a `whsk_` of 64 bytes (see `readSecret` for the forms). */
export function generateSecret(scheme: SignatureScheme): string {
  const random = randomBytes(32);
  if (scheme === 'v1') return `whsec_${random.toString('base64')}`;
  const publicKey = rawPublicKey(createPublicKey(privateKeyOfSeed(random)));
  return `whsk_${Buffer.concat([random, publicKey]).toString('base64')}`;
}
