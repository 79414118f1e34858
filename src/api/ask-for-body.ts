import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * Tells a client that waits with `Expect: 100-continue` to send its body (RFC 9110, section 10.1.1). To be called once nothing is left that
 * could refuse the request unread: a client that is refused before that sends no body in vain.
 */
export function askForBody({ headers, httpVersion }: IncomingMessage, response: ServerResponse): void {
  if (headers.expect !== undefined && httpVersion === '1.1') response.writeContinue();
}
