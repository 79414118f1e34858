import { hash } from 'node:crypto';

/**
 * What a tenant's idempotency key (`k`), event id (`i`) or CloudEvent's source and id (`c`) is stored as: the first 16 bytes of SHA-256, as a UUID. Keys of any length
 * cost the same, and none is kept in the clear.
 */
export function dedupKey(tenantNum: number, kind: 'k' | 'i' | 'c', text: string): string {
  return digestUuid(`${tenantNum}\0${kind}\0${text}`);
}

/** What the place of a message in its source is stored as, likewise: the same place is the same message, whatever it says. */
export function sourceKey(sourceId: string, identity: string): string {
  return digestUuid(`${sourceId}\0s\0${identity}`);
}

/** The first 16 bytes of the SHA-256 of a text, written as a UUID. */
export function digestUuid(text: string): string {
  const hex = hash('sha256', text, 'hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}
