import { finished } from 'node:stream';
import type { Request, Response } from 'express';

/** How long what a client still sends after its answer is read and thrown away, in ms. */
const LINGER_MS = 2_000;

/**
 * Sends an answer to a request of which not all has been read. All of the answer goes out at once; the connection is closed when the client has stopped sending, or a little later: a
 * connection that is closed while data is on its way to it is reset, and clients then lose the answer that they have not read yet (RFC 9112, 9.6).
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
