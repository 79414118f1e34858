import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import { type Components, type JsonSchema, jsonSchemaOf } from './openapi-schema.ts';

const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().describe('Stable: what programs go by. docs/errors.md lists them.'),
    request_id: z.string(),
    errors: z
      .array(
        z.object({
          path: z.string().describe('Dotted: `subscriptions.0.types`.'),
          message: z.string(),
          code: z
            .string()
            .optional()
            .describe('In a batch of events: why the event is refused, by the codes that one alone is refused with.'),
        }),
      )
      .optional()
      .describe(
        'Where fields are at fault, above all with 422: the first 100; of a filter, or of data that are not what their schema says, 20, of a schema 50, of a batch of events 1,000.',
      ),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details' });

const causes: Readonly<Record<number, string>> = {
  400: 'The request is malformed',
  401: 'No key, or one that is not valid',
  403: 'The key may not make this call',
  404: 'The object does not exist, or belongs to another tenant',
  405: 'The path does not take this method: of any path, for the methods that are not described here',
  408: 'The request did not come in time; the connection is closed',
  409: 'In conflict with what exists',
  413: 'The body is larger than what the call takes: 256 KiB; `POST /v1/events` what the operator has set, `POST …/filters/test` 256 KiB beside the largest event',
  415: 'The content type is not one that this call takes',
  417: 'Of `Expect` something else than `100-continue` is asked for; the connection is closed',
  422: 'The input is refused; `errors` says where',
  429: 'Too many requests: wait for `Retry-After`',
  431: 'The request line and the headers are too large; the connection is closed',
  500: 'Something went wrong here: the operator finds `request_id` in the log',
  503: 'Try again after `Retry-After`. Whether anything was stored or changed depends on `code`: only what is idempotent may be repeated blindly',
};

/** Statuses that any request may be answered with, before a call has it in hand or whatever the call is. */
export const ANYWHERE: readonly number[] = [400, 408, 417, 431, 500, 503];

export interface Reference {
  readonly $ref: string;
}

type Headers = Readonly<Record<string, { readonly description?: string; readonly schema: JsonSchema }>>;

export interface ResponseObject {
  readonly description: string;
  readonly headers?: Headers;
  readonly content?: Readonly<Record<string, { readonly schema: JsonSchema }>>;
}

const retryAfter = {
  'Retry-After': { description: 'Seconds to wait before the next try.', schema: { type: 'integer', minimum: 1 } },
};

const headersOf: Readonly<Record<number, Headers>> = {
  401: { 'WWW-Authenticate': { schema: { type: 'string', const: 'Bearer' } } },
  405: { Allow: { description: 'The methods that the path takes.', schema: { type: 'string' } } },
  429: retryAfter,
  503: retryAfter,
};

/** Error answers with these statuses, as references to what `problemComponents` describes. */
export function problemResponses(statuses: readonly number[]): Record<number, Reference> {
  return Object.fromEntries(
    statuses.map((status) => [status, { $ref: `#/components/responses/${nameOf(status)}` } satisfies Reference]),
  );
}

/** Every error answer, by name: for `components.responses`. */
export function problemComponents(components: Components): Record<string, ResponseObject> {
  return Object.fromEntries(
    Object.keys(causes).map((status) => [nameOf(Number(status)), problemResponse(Number(status), components)]),
  );
}

/** @param more headers that one call has beside those of every answer with this status */
export function problemResponse(status: number, components: Components, more: Headers = {}): ResponseObject {
  const headers = { ...headersOf[status], ...more };
  return {
    description: causes[status] ?? 'An error',
    ...(Object.keys(headers).length === 0 ? {} : { headers }),
    content: { 'application/problem+json': { schema: jsonSchemaOf(problemSchema, 'output', components) } },
  };
}

/** `NotFound` for 404. */
function nameOf(status: number): string {
  return (STATUS_CODES[status] ?? `Status${status}`).replaceAll(/\W/g, '');
}
