import { z } from 'zod';
import { EVENT_FORMATS, VALIDATIONS } from '../domain/endpoint.ts';
import { destinationInput, destinationOutput } from './destination-schema.ts';
import { filterDescription, filterInput, typePatterns } from './filter-input.ts';
import { readHeaders } from './header-input.ts';
import { readMetadata } from './metadata-input.ts';
import { plainText } from './plain-text.ts';
import { retrySchedule } from './retry-schedule-input.ts';
import { versionPins, versionPinsDescription } from './version-pins.ts';

const MAX_SUBSCRIPTIONS = 100;
/** Characters of JSON. */
const MAX_FILTERS = 64 * 1024;

const subscription = z
  .strictObject({ types: typePatterns.optional(), filter: filterInput.optional() })
  .transform(({ types, filter }) => ({
    ...(types === undefined ? {} : { types }),
    ...(filter === undefined ? {} : { filter }),
  }));

const headersDescription =
  'Sent with each delivery. Values are shown to callers who may write endpoints and as `***` to others; `***` is not taken as a value.';

const fields = {
  url: z
    .string()
    .describe(
      'http or https; an address that the operator has not allowed is refused. Short for a `destination` of type `http`; a new endpoint has one of the two.',
    ),
  description: plainText(0, 500),
  subscriptions: z
    .array(subscription)
    .max(MAX_SUBSCRIPTIONS)
    .refine(
      (subscriptions) => subscriptions.reduce((sum, { filter }) => sum + (filter?.length ?? 0), 0) <= MAX_FILTERS,
      `expected at most ${MAX_FILTERS} characters of filters`,
    )
    .describe(
      'What the endpoint receives, each with `types`, a `filter`, or both; none: everything but system events (`system.**`), which come to whoever names them. An event comes once, however many match.',
    ),
  enabled: z.boolean(),
  headers: z
    .unknown()
    .meta({ type: 'object', additionalProperties: { type: 'string' }, description: headersDescription })
    .transform(readHeaders),
  signature: z
    .enum(['v1', 'v1a'])
    .describe(
      '`v1`: HMAC-SHA256. `v1a`: Ed25519. Another scheme makes a new secret, and the old ones are void at once.',
    ),
  retry_schedule: retrySchedule,
  timeout_seconds: z.int().min(1).max(120).nullable().describe('Total time of an attempt; null: the default.'),
  rate_limit: z
    .strictObject({
      per_second: z.number().min(0.001).max(10_000).describe('Deliveries a second; fractions are allowed.'),
      burst: z
        .number()
        .min(1)
        .max(10_000)
        .optional()
        .describe('How many may come at once; default: what comes in a second.'),
    })
    .nullable()
    .describe('Null: as fast as `max_in_flight` lets it.'),
  max_in_flight: z.int().min(1).max(1000).nullable().describe('Requests under way at once; null: the default.'),
  order: z
    .enum(['none', 'endpoint', 'subject'])
    .describe(
      'What comes in the order of acceptance, one after the other, retries included: nothing, all, or what has the same `subject`. Holds for events accepted from then on.',
    ),
  on_dead_letter: z
    .enum(['continue', 'pause'])
    .describe(
      'What becomes of those behind an ordered delivery that is dead-lettered: they go on, or wait until a person resumes them.',
    ),
  versions: versionPins,
  format: z
    .enum(EVENT_FORMATS)
    .describe(
      'What deliveries look like: events of Posthorn’s, or CloudEvents 1.0 in structured (`cloudevents`) or binary content mode.',
    ),
  validation: z
    .enum(VALIDATIONS)
    .describe(
      '`cloudevents`: before the first delivery the receiver is asked to agree (CloudEvents, HTTP 1.1 Web Hooks, §4); until it has, deliveries wait. Asked again when the URL changes.',
    ),
  metadata: z
    .unknown()
    .meta({ type: 'object', description: 'Anything of yours: at most 50 names and 16 KiB.' })
    .transform(readMetadata),
};

export const endpointPatch = z.strictObject({
  url: fields.url.optional(),
  destination: destinationInput.optional(),
  description: fields.description.optional(),
  subscriptions: fields.subscriptions.optional(),
  enabled: fields.enabled.optional(),
  headers: fields.headers.optional(),
  signature: fields.signature.optional(),
  retry_schedule: fields.retry_schedule.optional(),
  timeout_seconds: fields.timeout_seconds.optional(),
  rate_limit: fields.rate_limit.optional(),
  max_in_flight: fields.max_in_flight.optional(),
  order: fields.order.optional(),
  on_dead_letter: fields.on_dead_letter.optional(),
  versions: fields.versions.optional(),
  format: fields.format.optional(),
  validation: fields.validation.optional(),
  metadata: fields.metadata.optional(),
});

export type EndpointPatchInput = z.infer<typeof endpointPatch>;

/** A signing secret of the caller's own: never repeated in an error. */
export const ownSecret = z
  .string()
  .max(128)
  .describe('`whsec_…` for v1, `whsk_…` for v1a; made by Posthorn when absent.');

export const newEndpoint = endpointPatch
  .extend({ secret: ownSecret.optional() })
  .refine(({ url, destination }) => url !== undefined || destination !== undefined, {
    path: ['url'],
    error: 'expected url or destination',
  });

export const endpointSchema = z
  .object({
    id: z.string(),
    tenant_id: z.string(),
    url: z.string().describe('Of a destination that is no URL a line that stands for it: `kafka://…`, `rabbitmq://…`.'),
    destination: destinationOutput,
    description: z.string(),
    subscriptions: z.array(
      z.object({
        types: z.array(z.string()).optional(),
        filter: z.record(z.string(), z.unknown()).optional().describe(filterDescription),
      }),
    ),
    enabled: z.boolean(),
    disabled_reason: z.string().nullable(),
    headers: z.record(z.string(), z.string()).describe(headersDescription),
    unreadable: z
      .array(z.enum(['headers', 'password']))
      .optional()
      .describe(
        'Where it has something stored that does not open with the `MASTER_KEY` at hand: `headers` (shown as `***`, which is refused when it is sent back) or the `password` of its destination. Deliveries wait until it is sent anew, or the operator restores the key.',
      ),
    signature: z.enum(['v1', 'v1a']),
    retry_schedule: z.array(z.int()).describe('Seconds before each attempt, the first included.'),
    timeout_seconds: z.int(),
    rate_limit: z.object({ per_second: z.number(), burst: z.number() }).nullable(),
    max_in_flight: z.int(),
    order: z.enum(['none', 'endpoint', 'subject']),
    on_dead_letter: z.enum(['continue', 'pause']),
    versions: z.record(z.string(), z.string()).describe(versionPinsDescription),
    format: z.enum(EVENT_FORMATS),
    validation: z.enum(VALIDATIONS),
    validation_status: z
      .object({
        state: z.enum(['pending', 'validated', 'refused']).describe('Unless it is `validated`, deliveries wait.'),
        detail: z.string().nullable().describe('Why it is not validated.'),
        tries: z.int().describe('Requests made since it was last to be validated.'),
        validated_at: z.iso.datetime().nullable(),
        allowed_per_minute: z
          .int()
          .nullable()
          .describe('What the receiver allows, within `rate_limit`; null: it sets no limit.'),
      })
      .nullable(),
    metadata: z.record(z.string(), z.unknown()),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'Endpoint' });

export const createdEndpointSchema = endpointSchema
  .extend({
    secret: z.string().describe('The signing secret; later: `GET …/secret`.'),
    public_key: z.string().optional().describe('`whpk_…`: what receivers verify `v1a` with.'),
  })
  .meta({ id: 'CreatedEndpoint' });
