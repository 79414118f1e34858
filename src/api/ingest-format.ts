import type { IncomingHttpHeaders } from 'node:http';
import { Refusal } from '../domain/errors.ts';
import type { CloudEventsMode } from '../ingest/read-cloud-events.ts';
import type { BodyFormat } from '../ingest/read-request.ts';
import { utf8MediaType } from './utf8-media-type.ts';

/** How the body of `POST /v1/events` is to be read. */
export type IngestFormat = BodyFormat | CloudEventsMode;

const JSON_TYPE = utf8MediaType('application/json');
const NDJSON_TYPE = utf8MediaType('application/(?:x-)?ndjson');
const STRUCTURED_TYPE = utf8MediaType('application/cloudevents\\+json');
const BATCH_TYPE = utf8MediaType('application/cloudevents-batch\\+json');

/**
 * Tells the formats apart. CloudEvents in binary mode come with any content type of their data; what makes them such is their headers
 * (http-protocol-binding.md §3).
 * @throws Refusal 415
 */
export function ingestFormatOf(headers: IncomingHttpHeaders): IngestFormat {
  const contentType = headers['content-type'] ?? '';
  const isBinary = headers['ce-specversion'] !== undefined || headers['ce-id'] !== undefined;
  if (!isBinary && JSON_TYPE.test(contentType)) return 'json';
  if (/^application\/cloudevents/i.test(contentType)) return eventFormatOf(contentType);
  if (isBinary) return 'binary';
  if (NDJSON_TYPE.test(contentType)) return 'ndjson';
  throw new Refusal(
    415,
    'unsupported_media_type',
    'Send events as application/json or application/x-ndjson, or as CloudEvents, in UTF-8.',
  );
}

/** The content type counts more than headers: structured messages may repeat their attributes there. */
function eventFormatOf(contentType: string): CloudEventsMode {
  if (STRUCTURED_TYPE.test(contentType)) return 'structured';
  if (BATCH_TYPE.test(contentType)) return 'batched';
  throw new Refusal(
    415,
    'unsupported_media_type',
    'Of the formats of CloudEvents, application/cloudevents+json and application/cloudevents-batch+json are taken, in UTF-8.',
  );
}
