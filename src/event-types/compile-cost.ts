import { isObject, subschemasAt } from './json-schema.ts';
import { isAnnotation } from './schema-equality.ts';

/** What it costs to compile a schema that says nothing. A unit takes 16 ns (measured). */
const SCHEMA_COST = 10_000;
/** For each schema inside it, and for each keyword, because JavaScript is made of it. */
const PART_COST = 1_500;
const PATTERN_COST = 3_000;
/** For each name in `required` and `dependentRequired`. */
const NAME_COST = 600;

/**
 * What compiling a schema costs, in the units in which checks are counted. For a value that may turn out to be no schema, it is what one
 * that looks like it would cost.
 */
export function compileCost(schema: unknown): number {
  return SCHEMA_COST + partCost(schema);
}

function partCost(schema: unknown): number {
  if (!isObject(schema)) return PART_COST;
  let cost = PART_COST;
  for (const [keyword, value] of Object.entries(schema)) {
    if (isAnnotation(keyword)) continue;
    cost += PART_COST + ownCost(keyword, value);
    for (const inner of subschemasAt(keyword, value)) cost += partCost(inner.schema);
  }
  return cost;
}

function ownCost(keyword: string, value: unknown): number {
  switch (keyword) {
    case 'pattern':
      return PATTERN_COST;
    case 'patternProperties':
      return isObject(value) ? Object.keys(value).length * PATTERN_COST : 0;
    case 'required':
      return Array.isArray(value) ? value.length * NAME_COST : 0;
    case 'dependentRequired':
      return isObject(value) ? [...Object.values(value), Object.keys(value)].flat().length * NAME_COST : 0;
    default:
      return 0;
  }
}
