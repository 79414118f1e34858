import { finished } from 'node:stream';
import type { Request, Response } from 'express';

/** How long what a client still sends after its answer is read and thrown away, in ms. */
const LINGER_MS = 2_000;

/**
 * Sends an answer to a request that was not read in full. The whole answer goes out at once. The connection is closed when the client has
 * stopped sending, or when `LINGER_MS` are over: if it is closed while data is on its way to it, it is reset, and the client may lose an
 * answer that it has not read yet (RFC 9112, 9.6).
 * @param body the whole of it, after status and headers but for `content-length` have been set
 */
export function answerUnread(request: Request, response: Response, body: string): void {
  // What is left of the body must not be taken for the next request.
  response.setHeader('connection', 'close');
  response.setHeader('content-length', Buffer.byteLength(body));
  response.write(body);
  const timer = setTimeout(() => response.end(), LINGER_MS);
  finished(request, { writable: false }, () => {
    clearTimeout(timer);
    response.end();
  });
  request.resume();
}
