import { compileCost } from './compile-cost.ts';
import { isObject, type JsonSchema, subschemasAt } from './json-schema.ts';
import type { LinearPattern } from './linear-pattern.ts';

/** For a unit of what compiling costs (measured): for a schema with a few keywords it is a quarter of that, for a pattern or a const all. */
const A_UNIT = 1 / 3;
const A_STEP = 64;
/** Of enum and const, which are looked up: for each character as JSON. */
const A_VALUE_CHARACTER = 10;

/** What a compiled schema holds of memory, in bytes, and rather more: titles and descriptions are texts that are kept, and nothing is made for them. */
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
