import type { z } from 'zod';
import { Refusal } from '../domain/errors.ts';
import { checkSchema } from '../ingest/check-schema.ts';

/** Faults that are told of a part of a request: a body may have one for each of tens of thousands of fields. */
export const MAX_FAULTS = 100;

/**
 * What the schema makes of a part of a request.
 * @throws Refusal 404 when the parameters of the path are not valid, 422 with the first faults when the query or the body is not
 */
export function checkInput<T>(schema: z.ZodType<T>, value: unknown, where: 'params' | 'query' | 'body'): T {
  const checked = checkSchema(schema, value);
  if (checked.ok) return checked.value;
  const faults = checked.faults.slice(0, MAX_FAULTS);
  // An id that cannot be one names nothing.
  if (where === 'params') throw new Refusal(404, 'not_found', 'No such object.');
  throw new Refusal(422, 'invalid', `The ${where === 'query' ? 'query parameters are' : 'body is'} not valid.`, {
    faults,
  });
}
