import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { askForBody } from './ask-for-body.ts';
import { type BodyRoom, roomOf } from './body-room.ts';
import { hasBody } from './has-body.ts';
import { incompleteBody, tooLarge, unknownEncoding } from './problem.ts';

const NOTHING = Buffer.alloc(0);

/**
 * Reads the body of a request into `request.body`, as bytes. If the request announces no body, that stays undefined. A body that is refused
 * is not read to its end.
 * @throws Refusal 400 if the request ends before its body does, 413 as soon as it announces or sends too much, 415 if it has a content
 * encoding, 503 if it turns out larger than there is room for
 */
export function readBytes(limit: number): RequestHandler {
  return (request, response, next) => {
    // Refused at once, before any of it has come.
    if (Number(request.headers['content-length']) > limit) return next(tooLarge(limit));
    if (hasBody(request) && isEncoded(request)) return next(unknownEncoding());
    askForBody(request, response);
    if (!hasBody(request)) return next();
    // The client left while its key was looked up: the 'close' has been, and neither data nor an end is to come. Without this check the
    // call would be made as if it had no body.
    if (request.destroyed) return next(incompleteBody());
    const body = new GatheredBody(Number(request.headers['content-length'] ?? 0), limit, roomOf(response));
    gather(request, body, (error) => {
      if (error === undefined) request.body = body.whole;
      next(error);
    });
  };
}

function gather(request: IncomingMessage, body: GatheredBody, done: (error?: unknown) => void): void {
  const finish = (error?: unknown) => {
    request.off('data', take).off('end', end).off('close', cut);
    done(error);
  };
  const take = (chunk: Buffer) => {
    try {
      body.append(chunk);
    } catch (error) {
      finish(error);
    }
  };
  const end = () => finish();
  const cut = () => finish(incompleteBody());
  request.on('data', take).on('end', end).on('close', cut);
}

/**
 * The part of a body that has come. From the second chunk on one buffer holds them all: else a body that comes byte by byte would cost a
 * buffer for each byte.
 */
class GatheredBody {
  readonly #length: number;
  readonly #limit: number;
  readonly #room: BodyRoom | null;
  #buffer: Buffer = NOTHING;
  #bytes = 0;

  /** @param length the announced bytes; 0 if none were. Node's parser sees to it that exactly as many come */
  constructor(length: number, limit: number, room: BodyRoom | null) {
    this.#length = length;
    this.#limit = limit;
    this.#room = room;
  }

  get whole(): Buffer {
    return this.#bytes === this.#buffer.length ? this.#buffer : this.#buffer.subarray(0, this.#bytes);
  }

  /** @throws Refusal 413 past the limit, 503 where there is no room for so much */
  append(chunk: Buffer): void {
    const bytes = this.#bytes + chunk.length;
    if (bytes > this.#limit) throw tooLarge(this.#limit);
    if (this.#bytes === 0) {
      this.#room?.growTo(bytes);
      this.#buffer = chunk;
    } else {
      if (bytes > this.#buffer.length) this.#enlarge(bytes);
      chunk.copy(this.#buffer, this.#bytes);
    }
    this.#bytes = bytes;
  }

  #enlarge(bytes: number): void {
    const size = this.#length > 0 ? this.#length : Math.min(2 * bytes, this.#limit);
    this.#room?.growTo(size);
    const larger = Buffer.allocUnsafe(size);
    this.#buffer.copy(larger, 0, 0, this.#bytes);
    this.#buffer = larger;
  }
}

function isEncoded({ headers }: IncomingMessage): boolean {
  const encoding = headers['content-encoding'];
  return encoding !== undefined && encoding.toLowerCase() !== 'identity';
}
