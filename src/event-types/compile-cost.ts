import { isObject, subschemasAt } from './json-schema.ts';
import { isAnnotation } from './schema-equality.ts';

/** For one that says nothing. What is compiled takes 16 ns a unit (measured). */
const SCHEMA_COST = 10_000;
/** For each schema inside it, and each keyword: JavaScript is made for it. */
const PART_COST = 1_500;
const PATTERN_COST = 3_000;
/** For each name in `required` and `dependentRequired`. */
const NAME_COST = 600;

/** What compiling a schema costs, in the same units as checks by it do; of what is no schema yet, likewise what it is by its looks. */
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
