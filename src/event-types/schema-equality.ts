import { isDeepStrictEqual } from 'node:util';
import { isObject, type JsonSchema, resolveRef, subschemaPlaces } from './json-schema.ts';

const ANNOTATIONS = new Set([
  'title',
  'description',
  '$comment',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
]);
const NO_ASSERTIONS = new Set([...ANNOTATIONS, '$schema', '$defs']);

/** Whether two schemas say the same of values: references written out, annotations and the order of names left out. */
export function areSameSchemas(a: unknown, aRoot: JsonSchema, b: unknown, bRoot: JsonSchema): boolean {
  return isDeepStrictEqual(bare(a, aRoot), bare(b, bRoot));
}

/** Whether a schema says nothing but what people read. */
export function assertsNothing(schema: object): boolean {
  return Object.keys(schema).every((keyword) => NO_ASSERTIONS.has(keyword));
}

/** A schema is finite when its references are written out: `readSchema` refuses those that lead back. */
function bare(schema: unknown, root: JsonSchema): unknown {
  if (!isObject(schema)) return schema;
  const entries = Object.entries(schema).filter(([keyword]) => !NO_ASSERTIONS.has(keyword));
  const only = entries.length === 1 && entries[0]![0] === '$ref';
  if (only) return bare(resolveRef(root, schema.$ref), root);
  return Object.fromEntries(entries.map(([keyword, value]) => [keyword, bareValue(keyword, value, root)]));
}

function bareValue(keyword: string, value: unknown, root: JsonSchema): unknown {
  if (keyword === '$ref') return bare(resolveRef(root, value), root);
  if ((keyword === 'type' || keyword === 'required') && Array.isArray(value)) return [...value].sort();
  switch (subschemaPlaces.get(keyword)) {
    case 'one':
      return bare(value, root);
    case 'list':
      return (value as unknown[]).map((each) => bare(each, root));
    case 'named':
      return Object.fromEntries(Object.entries(value as object).map(([name, each]) => [name, bare(each, root)]));
    case undefined:
      return value;
  }
}
