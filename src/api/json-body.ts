import { isUtf8 } from 'node:buffer';
import type { Request, RequestHandler } from 'express';
import { Refusal } from '../domain/errors.ts';
import { whereJsonBreaks } from '../domain/json-fault.ts';
import { nestingDepth } from '../domain/json-slices.ts';
import { repeatedNames } from '../domain/repeated-names.ts';
import { MAX_FAULTS } from './check-input.ts';
import { hasBody } from './has-body.ts';
import { readBytes } from './read-bytes.ts';
import { utf8MediaType } from './utf8-media-type.ts';

const JSON_TYPE = utf8MediaType('application/json');
/** Bytes of the largest body, for calls that do not take events. */
export const MAX_BODY_BYTES = 256 * 1024;
const MAX_DEPTH = 32;
/** Members of bodies that hold an event's content. Names may repeat there, because they may in events that producers send. */
const OF_EVENTS = ['data', 'event'];
/** Drops a byte order mark. */
const UTF8 = new TextDecoder();

/**
 * Reads a JSON body for `bodyTextOf`. Answers 400 if it is not UTF-8, 415 if it is of another type, 413 if it is too large. A chunked body
 * without a chunk counts as no body, whatever its type.
 */
export function readJsonBody(limit = MAX_BODY_BYTES): RequestHandler {
  const read = readBytes(limit);
  return (request, response, next) => {
    const isOther = hasBody(request) && !JSON_TYPE.test(request.headers['content-type'] ?? '');
    const isChunked = request.headers['transfer-encoding'] !== undefined;
    if (isOther && !isChunked) throw notJson();
    read(request, response, (error?: unknown) => {
      if (error !== undefined) return next(error);
      const bytes = request.body as Buffer | undefined;
      if (isOther && bytes!.length > 0) return next(notJson());
      if (bytes !== undefined && !isUtf8(bytes)) return next(notUtf8());
      request.body = bytes === undefined ? '' : UTF8.decode(bytes);
      next();
    });
  };
}

function notJson(): Refusal {
  return new Refusal(415, 'unsupported_media_type', 'Send the body with content-type: application/json, in UTF-8.');
}

function notUtf8(): Refusal {
  return new Refusal(400, 'invalid_json', 'The request body is not valid UTF-8.');
}

/** For calls that take no body: answers 422 to a body of any size or type. A chunked body without a chunk counts as no body. */
export function refuseBody(): RequestHandler {
  const read = readBytes(0);
  return (request, response, next) => {
    read(request, response, (error?: unknown) => {
      const isBody = error instanceof Refusal && error.code !== 'incomplete_body';
      next(isBody ? unexpectedBody() : error);
    });
  };
}

function unexpectedBody(): Refusal {
  const message = 'this call takes no body';
  return new Refusal(422, 'invalid', 'This call takes no body.', { faults: [{ path: '', message }] });
}

/** The JSON text as it was sent; '' when there was none. */
export function bodyTextOf(request: Request): string {
  return typeof request.body === 'string' ? request.body : '';
}

/**
 * Parses the text of a body; '' counts as `{}`.
 * @throws Refusal 400 if it is not JSON, 422 if it nests too deep or has a name twice, of which nobody can tell which was meant
 */
export function parseBodyText(text: string): unknown {
  if (text === '') return {};
  if (nestingDepth(text, MAX_DEPTH) > MAX_DEPTH) {
    throw new Refusal(422, 'too_deep', `The request body nests deeper than ${MAX_DEPTH} levels.`, {
      faults: [{ path: '', message: `expected at most ${MAX_DEPTH} levels` }],
    });
  }
  const value = parse(text);
  const repeated = repeatedNames(text, MAX_FAULTS, OF_EVENTS);
  if (repeated.length > 0) {
    const faults = repeated.map((path) => ({ path, message: 'given more than once' }));
    throw new Refusal(422, 'invalid', 'The body is not valid.', { faults });
  }
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, 'invalid_json', `The request body is not valid JSON${whereJsonBreaks(text)}.`);
  }
}
