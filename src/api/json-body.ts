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
/** What calls read at the most, other than those that take events. */
export const MAX_BODY_BYTES = 256 * 1024;
const MAX_DEPTH = 32;
/** Members of bodies that hold what a producer sends, to be taken as it would be taken from there. */
const OF_EVENTS = ['data', 'event'];
/** A byte order mark is left out. */
const UTF8 = new TextDecoder();

/** Reads a JSON body for `bodyTextOf`. Answers 400 when it is not UTF-8, 415 when it is something else, 413 when it is too large. A chunked body without a chunk is none, whatever its type. */
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
  return new Refusal(415, 'unsupported_media_type', 'Send the body with content-type: application/json.');
}

function notUtf8(): Refusal {
  return new Refusal(400, 'invalid_json', 'The request body is not valid UTF-8.');
}

/** For calls that take no body: answers 422 to one of any size or kind. A chunked body without a chunk is none. */
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
 * What a body's text says; no text says `{}`.
 * @throws Refusal 400 when it is not JSON, 422 when it nests too deep, or has a name twice: which of them was meant, nobody can tell
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
