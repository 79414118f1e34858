/** A JSON Schema of 2020-12 as Posthorn takes it: see `read-schema.ts`. */
export type JsonSchema = boolean | SchemaObject;

export interface SchemaObject {
  readonly [keyword: string]: unknown;
}

/** How a keyword holds other schemas. */
export type SubschemaPlace = 'one' | 'list' | 'named';

/** Keywords that hold schemas, and how. */
export const subschemaPlaces: ReadonlyMap<string, SubschemaPlace> = new Map([
  ...['additionalProperties', 'propertyNames', 'items', 'contains', 'not', 'if', 'then', 'else'].map(
    (name) => [name, 'one'] as const,
  ),
  ...['allOf', 'anyOf', 'oneOf', 'prefixItems'].map((name) => [name, 'list'] as const),
  ...['properties', 'patternProperties', '$defs'].map((name) => [name, 'named'] as const),
]);

export interface Subschema {
  /** Dotted, from the schema that holds it: `properties.amount`, `anyOf.0`. */
  readonly path: string;
  readonly schema: unknown;
}

/** The schemas that one keyword holds; none when its value is not of the right kind. */
export function subschemasAt(keyword: string, value: unknown): readonly Subschema[] {
  switch (subschemaPlaces.get(keyword)) {
    case 'one':
      return [{ path: keyword, schema: value }];
    case 'list':
      return Array.isArray(value) ? value.map((schema, i) => ({ path: `${keyword}.${i}`, schema })) : [];
    case 'named':
      return isObject(value)
        ? Object.entries(value).map(([name, schema]) => ({ path: `${keyword}.${name}`, schema }))
        : [];
    case undefined:
      return [];
  }
}

/** The step that a subschema's path is among the values that it describes: `amount`, `[]` for each item, `*` for other properties. */
export function placeStep(path: string): string {
  if (path.startsWith('properties.')) return path.slice('properties.'.length);
  if (path === 'items') return '[]';
  return path === 'additionalProperties' ? '*' : path;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// White space is no part of a reference, and what reads it may cut it off.
const REF = /^#\/\$defs\/([^/\s]+)$/;

/** The name in `$defs` that a `$ref` names; null for every other reference. */
export function refName(ref: unknown): string | null {
  const name = typeof ref === 'string' ? REF.exec(ref)?.[1] : undefined;
  if (name === undefined) return null;
  try {
    return decodeURIComponent(name).replaceAll('~1', '/').replaceAll('~0', '~');
  } catch {
    return null;
  }
}

/** What a `$ref` of a schema that was found good stands for. */
export function resolveRef(root: JsonSchema, ref: unknown): JsonSchema {
  const defs = isObject(root) && isObject(root.$defs) ? root.$defs : {};
  const name = refName(ref) ?? '';
  return Object.hasOwn(defs, name) ? (defs[name] as JsonSchema) : false;
}
