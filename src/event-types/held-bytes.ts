import { compileCost } from './compile-cost.ts';
import { isObject, type JsonSchema, subschemasAt } from './json-schema.ts';
import type { LinearPattern } from './linear-pattern.ts';

/**
 * Bytes for a unit of what compiling costs (measured). A schema with a few keywords takes a quarter of that; one that is a pattern or a
 * const takes all of it.
 */
const A_UNIT = 1 / 3;
const A_STEP = 64;
/** Bytes for each character of the JSON of an enum or a const, because its values are kept for lookups. */
const A_VALUE_CHARACTER = 10;

/**
 * How many bytes of memory a compiled schema takes: rather more than it does. Titles and descriptions count only as the texts that they
 * are, because nothing is made of them.
 */
export function heldBytes(schema: JsonSchema, patterns: Iterable<LinearPattern>): number {
  let bytes = compileCost(schema) * A_UNIT + JSON.stringify(schema).length + valuesLength(schema) * A_VALUE_CHARACTER;
  for (const { size } of patterns) bytes += size * A_STEP;
  return Math.ceil(bytes);
}

function valuesLength(schema: JsonSchema): number {
  if (!isObject(schema)) return 0;
  let length = 0;
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword === 'enum' || keyword === 'const') length += JSON.stringify(value).length;
    else for (const inner of subschemasAt(keyword, value)) length += valuesLength(inner.schema as JsonSchema);
  }
  return length;
}
