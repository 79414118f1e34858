import { sign } from 'node:crypto';
import { isWebhookId, joinSignedContent, signedPrefix } from './signed-content.ts';
import type { SigningKey } from './signing-key.ts';

/**
 * The value of `webhook-signature` for one attempt: a signature per key, in the order of the keys, separated by spaces, so
 * that a receiver verifies with either secret while one is being rotated (Standard Webhooks 1.0.0, "Webhook headers").
 *
 * `id` and `timestampSeconds` must be sent exactly as given, in `webhook-id` and `webhook-timestamp`; `body` is the request
 * body, byte for byte. Throws `RangeError` where the caller is at fault: no key, an id that `isWebhookId` refuses, a timestamp
 * that is not a whole number of seconds.
 */
export function signWebhook(
  keys: readonly SigningKey[],
  id: string,
  timestampSeconds: number,
  body: Uint8Array,
): string {
  if (!isWebhookId(id)) throw new RangeError('A webhook id is 1 to 256 visible ASCII characters, without a dot.');
  if (!Number.isSafeInteger(timestampSeconds) || timestampSeconds < 0) {
    throw new RangeError('A webhook timestamp is a whole number of seconds since 1970.');
  }
  const prefix = signedPrefix(id, timestampSeconds);
  let header = '';
  for (const key of keys) {
    const signature = signatureOf(key, prefix, body);
    header = header === '' ? signature : `${header} ${signature}`;
  }
  if (header === '') throw new RangeError('A webhook is signed with at least one key.');
  return header;
}

function signatureOf({ scheme, key }: SigningKey, prefix: string, body: Uint8Array): string {
  switch (scheme) {
    case 'v1':
      return `v1,${key.sign(prefix, body)}`;
    case 'v1a':
      return `v1a,${sign(null, joinSignedContent(prefix, body), key).toString('base64')}`;
  }
}
