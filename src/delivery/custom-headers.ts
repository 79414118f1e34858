import type { Fault } from '../domain/errors.ts';

const MAX_HEADERS = 100;
const MAX_NAME = 256;
const MAX_VALUE = 4096;
const MAX_TOTAL = 16_384;

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** RFC 9110 §5.5: visible characters, space, tab and obs-text, all within latin-1, which is what goes onto the wire. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

const FORBIDDEN = new Set([
  // What the HTTP client writes, and what decides how a connection or a message is framed (RFC 9112).
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  // What would misdescribe the body that we send.
  'content-encoding',
  'content-type',
  'user-agent',
  // Names that are not own properties of every object alike.
  '__proto__',
  'constructor',
  'prototype',
]);

/** Our own names: Standard Webhooks' and Posthorn's, whole families so that later additions are not taken already. */
const FORBIDDEN_PREFIXES = ['webhook-', 'posthorn-'];

/** Whether an endpoint may set a header of this name. */
export function isCustomHeaderName(name: string): boolean {
  const lower = name.toLowerCase();
  return TOKEN.test(name) && !FORBIDDEN.has(lower) && !FORBIDDEN_PREFIXES.some((prefix) => lower.startsWith(prefix));
}

/** Whether a header value can go onto the wire as it is. */
export function isCustomHeaderValue(value: string): boolean {
  return VALUE.test(value);
}

/**
 * The faults of an endpoint's custom headers when they are written; none when they may be stored. Paths are the header names,
 * empty for the whole. Values are never repeated in a message, because they may be credentials.
 */
export function checkCustomHeaders(headers: Readonly<Record<string, string>>): Fault[] {
  const names = Object.keys(headers);
  if (names.length > MAX_HEADERS) return [{ path: '', message: `must have at most ${MAX_HEADERS} headers` }];
  const faults: Fault[] = [];
  const seen = new Set<string>();
  let total = 0;
  for (const name of names) {
    const value = headers[name]!;
    const message = nameFault(name) ?? valueFault(value) ?? (seen.has(name.toLowerCase()) ? 'is given twice' : null);
    if (message !== null) faults.push({ path: name, message });
    seen.add(name.toLowerCase());
    total += name.length + String(value).length + 4;
  }
  if (total > MAX_TOTAL) faults.push({ path: '', message: `must be at most ${MAX_TOTAL} bytes in all` });
  return faults;
}

function nameFault(name: string): string | null {
  if (name === '') return 'header name must not be empty';
  if (name.length > MAX_NAME) return `header name must be at most ${MAX_NAME} characters`;
  if (!TOKEN.test(name)) return 'header name has characters that HTTP does not allow';
  return isCustomHeaderName(name) ? null : 'is set by Posthorn and cannot be overridden';
}

function valueFault(value: unknown): string | null {
  if (typeof value !== 'string') return 'value must be text';
  if (value.length > MAX_VALUE) return `value must be at most ${MAX_VALUE} characters`;
  return isCustomHeaderValue(value) ? null : 'value must be latin-1 text without control characters';
}
