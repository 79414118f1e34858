import { z } from 'zod';
import type { CoreAttribute } from '../cloudevents/cloud-event.ts';
import { eventInput } from '../ingest/event-input.ts';
import { ANYWHERE, problemResponse, problemResponses } from './openapi-problem.ts';
import { type Components, jsonSchemaOf } from './openapi-schema.ts';

const acceptedEvent = z
  .object({
    id: z.string(),
    status: z.enum(['accepted', 'duplicate']),
    deliveries: z.int().describe('Endpoints that it goes to.'),
  })
  .meta({ id: 'AcceptedEvent' });

const acceptedBatch = z
  .object({ accepted: z.int(), duplicates: z.int(), items: z.array(acceptedEvent) })
  .meta({ id: 'AcceptedBatch' });

/** For readers of the document: `src/cloudevents` says what is taken. */
const cloudEventInput = z
  .looseObject({
    specversion: z.literal('1.0'),
    id: z.string(),
    source: z.string(),
    type: z.string(),
    subject: z.string().nullish(),
    time: z.iso.datetime({ offset: true }).nullish(),
    datacontenttype: z.string().nullish(),
    dataschema: z.string().nullish(),
    data: z.unknown().optional(),
    data_base64: z.base64().nullish(),
  })
  .meta({ id: 'CloudEvent', description: 'A CloudEvent in the JSON event format 1.0; other members are extensions.' });

const description =
  'A 202 means that the events are durable, each exactly once per tenant and key: `metadata.idempotency_key`, else the `Idempotency-Key` header (single events), else `id`. The same key again answers `duplicate`, with another body 409. A batch is stored whole or not at all.\n\nCloudEvents 1.0 are told by their content type, or in binary mode by their `ce-` headers, whatever the content type of their data; headers `ce-<name>` that are not listed are extensions. They are deduplicated by `source` and `id`; with an operator key an extension, `tenantid`, names the tenant.\n\nOf a body of over 64 KB that cannot be events by its size alone (an event of over 100 fields or too many characters, too many events) it is not found out what else is wrong with it. A body that holds no events to store counts for the tenant’s limits as one event of its length.';

/** draft-ietf-httpapi-ratelimit-headers-10; on a 429 as well. */
export const rateLimitHeaders = {
  RateLimit: {
    description:
      'What is left of each limit (`r`), and the seconds until it is whole again (`t`; of a backlog that is full: until you may look again); absent without limits.',
    schema: { type: 'string' },
  },
  'RateLimit-Policy': {
    description:
      'What may be sent at once (`q`), in which unit (`qu`), and the seconds in which that fills again (`w`; a backlog has none).',
    schema: { type: 'string' },
  },
};

/** What each attribute of the CloudEvents specification says, as a header. Their media type is `content-type`. */
const attributes: Readonly<Record<Exclude<CoreAttribute, 'datacontenttype'>, string>> = {
  specversion: 'The version of the specification. Tells binary mode from the others, as `ce-id` does.',
  id: 'With the source it is the event: the same pair again is a duplicate.',
  source: 'A URI reference.',
  type: 'Becomes the type of the event.',
  subject: 'Becomes its subject.',
  time: 'Becomes its timestamp.',
  dataschema: 'A URI.',
};
const REQUIRED: readonly string[] = ['specversion', 'id', 'source', 'type'];

function binaryHeaders(): readonly unknown[] {
  return Object.entries(attributes).map(([name, text]) => ({
    name: `ce-${name}`,
    in: 'header',
    required: false,
    description: `CloudEvents in binary mode${REQUIRED.includes(name) ? ', required there' : ''}. ${text}`,
    schema: {
      type: 'string',
      ...(name === 'specversion' ? { const: '1.0' } : {}),
      ...(name === 'time' ? { format: 'date-time' } : {}),
    },
  }));
}

/** `POST /v1/events`, which is mounted apart from the list of routes because it reads raw bytes. */
export function ingestPaths(components: Components): Record<string, unknown> {
  const event = jsonSchemaOf(eventInput.meta({ id: 'NewEvent' }), 'input', components);
  const single = jsonSchemaOf(acceptedEvent, 'output', components);
  const batch = jsonSchemaOf(acceptedBatch, 'output', components);
  const cloudEvent = jsonSchemaOf(cloudEventInput, 'input', components);
  const header = {
    name: 'Idempotency-Key',
    in: 'header',
    required: false,
    description:
      '1 to 255 printable ASCII characters, as they are or within double quotes (a string of RFC 8941), which are no part of the key.',
    schema: { type: 'string', maxLength: 257 },
  };
  const operation = {
    operationId: 'post_events',
    tags: ['events'],
    summary: 'Send one event, or a batch',
    description,
    'x-access': 'events:write',
    parameters: [header, ...binaryHeaders()],
    requestBody: {
      required: true,
      content: {
        'application/json': { schema: { oneOf: [event, { type: 'array', items: event, minItems: 1 }] } },
        'application/x-ndjson': { schema: { type: 'string', description: 'One event a line.' } },
        'application/cloudevents+json': { schema: cloudEvent },
        'application/cloudevents-batch+json': { schema: { type: 'array', items: cloudEvent } },
        '*/*': { schema: { description: 'In binary mode: the data of the CloudEvent, which may be empty.' } },
      },
    },
    responses: {
      202: {
        description: 'Accepted: the event, or the batch',
        headers: rateLimitHeaders,
        content: { 'application/json': { schema: { oneOf: [single, batch] } } },
      },
      ...problemResponses([...ANYWHERE, 401, 403, 404, 409, 413, 415, 422]),
      429: problemResponse(429, components, rateLimitHeaders),
    },
  };
  return { '/v1/events': { post: operation } };
}
