import { createHmac, type KeyObject } from 'node:crypto';

/**
 * What precedes the body in the signed content, `{id}.{timestamp}.{body}` (Standard Webhooks 1.0.0, "Signature scheme").
 * `timestamp` is in its header form, whole seconds since 1970.
 */
export function signedPrefix(id: string, timestamp: string | number): string {
  return `${id}.${timestamp}.`;
}

/**
 * Visible ASCII without a dot, at most 256 characters. A dot would let a message signed as (`a`, `1`, `2.x`) be shown again as
 * (`a.1`, `2`, `x`): another id and a fresh timestamp under a signature that holds.
 */
export function isWebhookId(id: string): boolean {
  return WEBHOOK_ID.test(id);
}

/** The v1 signature in base64. The body is hashed where it is; nothing is copied. */
export function hmacSignature(key: KeyObject, prefix: string, body: Uint8Array): string {
  return createHmac('sha256', key).update(prefix).update(body).digest('base64');
}

/** The signed content in one piece: Ed25519 reads its message twice (RFC 8032 §5.1.6), so that it cannot be fed in parts. */
export function joinSignedContent(prefix: string, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(prefix), body]);
}

const WEBHOOK_ID = /^[\x21-\x2d\x2f-\x7e]{1,256}$/;
