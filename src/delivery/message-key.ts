import type { KeySource } from '../domain/destination.ts';

const DATA = Buffer.from(',"data":');

/**
 * What brokers order and spread a message by; null for an event without a subject, whose place is then of no matter.
 * @param event the event as stored: every body has its id, type and subject in front of its data
 */
export function messageKey(source: KeySource, tenantId: string, event: Uint8Array): string | null {
  if (source === 'tenant') return tenantId;
  const { type, subject } = headOf(event);
  return (source === 'type' ? type : subject) ?? null;
}

/** Quotes inside of strings are escaped, so that what parts head and data cannot stand in one: no need to parse the whole. */
function headOf(event: Uint8Array): { readonly type?: string; readonly subject?: string } {
  const bytes = Buffer.from(event.buffer, event.byteOffset, event.byteLength);
  const end = bytes.indexOf(DATA);
  return JSON.parse(end === -1 ? bytes.toString() : `${bytes.toString('utf8', 0, end)}}`);
}
