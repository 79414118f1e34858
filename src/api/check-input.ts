import type { z } from 'zod';
import { type Fault, Refusal } from '../domain/errors.ts';
import { checkSchema } from '../ingest/check-schema.ts';

/** Faults that are told of a part of a request: a body may have one for each of tens of thousands of fields. */
export const MAX_FAULTS = 100;

/**
 * What the schema makes of a part of a request. A NUL in the path or the query names nothing, whatever the schema says: Postgres would
 * not take it.
 * @throws Refusal 404 when the parameters of the path are not valid, 422 with the first faults when the query or the body is not
 */
export function checkInput<T>(schema: z.ZodType<T>, value: unknown, where: 'params' | 'query' | 'body'): T {
  const checked = checkSchema(schema, value);
  const all = checked.ok ? nulsIn(value, where) : checked.faults;
  if (checked.ok && all.length === 0) return checked.value;
  const faults = all.slice(0, MAX_FAULTS);
  // A text that cannot be an id names nothing.
  if (where === 'params') throw new Refusal(404, 'not_found', 'No such object.');
  throw new Refusal(422, 'invalid', `The ${where === 'query' ? 'query parameters are' : 'body is'} not valid.`, {
    faults,
  });
}

/** Faults for NULs in the path or the query. A body may have some: in data of events, or in schemas. */
function nulsIn(value: unknown, where: 'params' | 'query' | 'body'): readonly Fault[] {
  if (where === 'body') return [];
  return Object.entries(value as Record<string, string | readonly string[]>).flatMap(([path, given]) =>
    [given].flat().some((text) => text.includes('\0')) ? [{ path, message: 'expected text without NUL' }] : [],
  );
}
