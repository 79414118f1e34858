import { isWebhookId } from './signed-content.ts';

/** The headers of a request: those of node:http, a plain object with names in any case, or a `Headers`. */
export type HeaderSource =
  | { get(name: string): string | null }
  | Readonly<Record<string, string | readonly string[] | undefined>>;

export type HeaderFault = 'missing_header' | 'duplicate_header' | 'bad_id' | 'bad_timestamp';

export type ReceivedHeaders =
  | { readonly ok: true; readonly id: string; readonly timestamp: string; readonly signatures: string }
  | { readonly ok: false; readonly reason: HeaderFault };

/**
 * The three headers of Standard Webhooks 1.0.0 ("Webhook headers"), in the form in which they were signed. A header that is
 * there twice is refused: two readers of one request must not see two different messages.
 */
export function readReceivedHeaders(headers: HeaderSource): ReceivedHeaders {
  const id = findHeader(headers, 'webhook-id');
  const timestamp = findHeader(headers, 'webhook-timestamp');
  const signatures = findHeader(headers, 'webhook-signature');
  if (id === 'twice' || timestamp === 'twice' || signatures === 'twice')
    return { ok: false, reason: 'duplicate_header' };
  if (id === null || timestamp === null || signatures === null) return { ok: false, reason: 'missing_header' };
  if (!isWebhookId(id.value)) return { ok: false, reason: 'bad_id' };
  if (!TIMESTAMP.test(timestamp.value)) return { ok: false, reason: 'bad_timestamp' };
  return { ok: true, id: id.value, timestamp: timestamp.value, signatures: signatures.value };
}

// One spelling for each number: no sign, exponent, fraction, leading zero or space. 15 digits stay exact in a double.
const TIMESTAMP = /^(?:0|[1-9][0-9]{0,14})$/;

type FoundHeader = { readonly value: string } | 'twice' | null;

function findHeader(headers: HeaderSource, name: string): FoundHeader {
  if (headers === null || typeof headers !== 'object') return null;
  if (isHeaders(headers)) return foundValue(headers.get(name));
  let found: FoundHeader = null;
  for (const key of Object.keys(headers)) {
    if (key.length !== name.length || key.toLowerCase() !== name) continue;
    const next = foundValue(headers[key]);
    if (next === null) continue;
    if (found !== null) return 'twice';
    found = next;
  }
  return found;
}

function isHeaders(headers: HeaderSource): headers is { get(name: string): string | null } {
  return typeof headers.get === 'function';
}

function foundValue(value: unknown): FoundHeader {
  if (Array.isArray(value)) return value.length > 1 ? 'twice' : foundValue(value[0]);
  return typeof value === 'string' && value !== '' ? { value } : null;
}
