import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { askForBody } from './ask-for-body.ts';
import { hasBody } from './has-body.ts';
import { incompleteBody, tooLarge, unknownEncoding } from './problem.ts';

/**
 * Reads the body of a request into `request.body`, as bytes; a request that announces none is left without. What is refused is not read to its end.
 * @throws Refusal 400 when the request ends before its body does, 413 as soon as it announces or sends too much, 415 when it is encoded
 */
export function readBytes(limit: number): RequestHandler {
  return (request, response, next) => {
    // Said at once, not when all of it has come.
    if (Number(request.headers['content-length']) > limit) return next(tooLarge());
    if (hasBody(request) && isEncoded(request)) return next(unknownEncoding());
    askForBody(request, response);
    if (!hasBody(request)) return next();
    // Its client left while the key was looked up: neither data nor an end is to come, and the close has been. Without this the call would be made as though it had no body.
    if (request.destroyed) return next(incompleteBody());
    gather(request, limit, (error, body) => {
      if (body !== undefined) request.body = body;
      next(error);
    });
  };
}

/** Node's parser sees to it that what comes is as long as `content-length` says, where it is said. */
function gather(request: IncomingMessage, limit: number, done: (error?: Error, body?: Buffer) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const finish = (error?: Error, body?: Buffer) => {
    request.off('data', take).off('end', end).off('close', cut);
    done(error, body);
  };
  const take = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > limit) finish(tooLarge());
    else chunks.push(chunk);
  };
  const end = () => finish(undefined, chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
  const cut = () => finish(incompleteBody());
  request.on('data', take).on('end', end).on('close', cut);
}

function isEncoded({ headers }: IncomingMessage): boolean {
  const encoding = headers['content-encoding'];
  return encoding !== undefined && encoding.toLowerCase() !== 'identity';
}
