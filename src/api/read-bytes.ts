import type { IncomingHttpHeaders } from 'node:http';
import express, { type RequestHandler } from 'express';
import { Refusal } from '../domain/errors.ts';
import { askForBody } from './ask-for-body.ts';
import { tooLarge } from './problem.ts';

/**
 * Reads the body of a request into `request.body`, as bytes. One whose length is told and bearable is gathered here; whatever else there is
 * (chunks, an encoding, nothing) is express's to read or to refuse.
 * @throws Refusal 400 when the request ends before its body does, 413 as soon as it announces too much
 */
export function readBytes(limit: number): RequestHandler {
  const readAny = express.raw({ type: () => true, limit, inflate: false });
  return (request, response, next) => {
    // Said at once, not when all of it has come: express reads to the end what it refuses.
    if (Number(request.headers['content-length']) > limit) return next(tooLarge());
    askForBody(request, response);
    if (!isPlain(request.headers, limit)) return readAny(request, response, next);
    // Neither data nor an end is to come, and the close may have been.
    if (request.destroyed) return next(incomplete());
    const chunks: Buffer[] = [];
    let isOver = false;
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      isOver = true;
      request.body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
      next();
    });
    const cut = () => {
      if (isOver) return;
      isOver = true;
      next(incomplete());
    };
    request.on('error', cut);
    request.on('close', cut);
  };
}

function incomplete(): Refusal {
  return new Refusal(400, 'incomplete_body', 'The request body ended early.');
}

/** Node's parser sees to it that what comes is as long as `content-length` says. */
function isPlain(headers: IncomingHttpHeaders, limit: number): boolean {
  const length = Number(headers['content-length'] ?? 0);
  return (
    length > 0 &&
    length <= limit &&
    headers['content-encoding'] === undefined &&
    headers['transfer-encoding'] === undefined
  );
}
