import { z } from 'zod';
import { type Components, jsonSchemaOf } from './openapi-schema.ts';

const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().describe('Stable: what programs go by.'),
    request_id: z.string(),
    errors: z
      .array(z.object({ path: z.string().describe('Dotted: `subscriptions.0.types`.'), message: z.string() }))
      .optional()
      .describe('Where fields are at fault, above all with 422: every fault.'),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details' });

const causes: Readonly<Record<number, string>> = {
  400: 'The request is malformed',
  401: 'No key, or one that is not valid',
  403: 'The key may not make this call',
  404: 'The object does not exist, or belongs to another tenant',
  409: 'In conflict with what exists',
  413: 'The body is too large',
  415: 'The content type is not one that this call takes',
  422: 'The input is refused; `errors` says where',
  429: 'Too many requests: wait for `Retry-After`',
  503: 'Nothing was stored: try again after `Retry-After`',
};

interface ProblemResponse {
  readonly description: string;
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content: unknown;
}

const retryAfter = { description: 'Seconds to wait before the next try.', schema: { type: 'integer', minimum: 1 } };
/** Statuses whose answers say when to come again. */
const PASSING: readonly number[] = [429, 503];

/** Error answers with these statuses, as OpenAPI response objects. */
export function problemResponses(statuses: readonly number[], components: Components): Record<number, ProblemResponse> {
  const schema = jsonSchemaOf(problemSchema, 'output', components);
  const content = { 'application/problem+json': { schema } };
  return Object.fromEntries(
    statuses.map((status) => {
      const headers = PASSING.includes(status) ? { headers: { 'Retry-After': retryAfter } } : {};
      return [status, { description: causes[status] ?? 'An error', ...headers, content }];
    }),
  );
}
