// What receivers need, from the code that signs: for Node.

export type { HeaderSource } from '../../../src/signing/received-headers.ts';
export { requireSignature, WebhookVerificationError } from '../../../src/signing/require-signature.ts';
export { InvalidSecretError } from '../../../src/signing/secret.ts';
export type { Verification, VerifyFault, VerifyOptions } from '../../../src/signing/verify-signature.ts';
export { verifySignature } from '../../../src/signing/verify-signature.ts';
export type { ReceivedWebhook, VerifyWebhookOptions, WebhookRequest } from '../../../src/signing/verify-webhook.ts';
export { receivedWebhook, verifyWebhook } from '../../../src/signing/verify-webhook.ts';
export type { VerifyingKey } from '../../../src/signing/verifying-key.ts';
export { parseVerifyingKey } from '../../../src/signing/verifying-key.ts';
