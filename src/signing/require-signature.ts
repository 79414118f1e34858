import type { HeaderSource } from './received-headers.ts';
import { type VerifyFault, type VerifyOptions, verifySignature } from './verify-signature.ts';
import type { VerifyingKey } from './verifying-key.ts';

/** A request that is not a genuine, fresh webhook. `reason` says why; neither it nor the message holds a secret. */
export class WebhookVerificationError extends Error {
  readonly reason: VerifyFault;

  constructor(reason: VerifyFault) {
    super(`The webhook was not verified: ${reason}.`);
    this.name = 'WebhookVerificationError';
    this.reason = reason;
  }
}

/** As `verifySignature`, for receivers who would rather not be able to forget the answer. Throws `WebhookVerificationError`. */
export function requireSignature(
  keys: readonly VerifyingKey[],
  headers: HeaderSource,
  body: Uint8Array | string,
  options: VerifyOptions = {},
): { readonly id: string; readonly timestamp: number } {
  const verification = verifySignature(keys, headers, body, options);
  if (!verification.ok) throw new WebhookVerificationError(verification.reason);
  return { id: verification.id, timestamp: verification.timestamp };
}
