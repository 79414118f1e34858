import type { IncomingMessage } from 'node:http';

/** Whether a request has a body by what it says of itself (RFC 9112 §6.3); one that is chunked may turn out to be empty. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
