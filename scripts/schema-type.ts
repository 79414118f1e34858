import type { JsonSchema } from '../src/api/openapi-schema.ts';

/** What says nothing that a type could say. */
const UNTYPED = new Set([
  'description',
  'default',
  'format',
  'pattern',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'minItems',
  'maxItems',
  'propertyNames',
  'contentEncoding',
]);

/** What a type is for: what is only read may be given as a list that may not be changed. */
export type Use = 'given' | 'got';

/**
 * JSON Schema as a type of TypeScript. What may be left out may be undefined too, as `JSON.stringify` leaves it out.
 * @param indent of the line that it stands on
 * @throws Error for a keyword that is not known here: a type that is too wide would not be noticed
 */
export function schemaType(schema: JsonSchema, indent: string, use: Use = 'got'): string {
  const keywords = Object.keys(schema).filter((keyword) => !UNTYPED.has(keyword));
  const [first] = keywords;
  switch (first) {
    case undefined:
      return 'unknown';
    case '$ref':
      return String(schema.$ref).replace('#/components/schemas/', '');
    case 'anyOf':
    case 'oneOf':
      return (
        alone(keywords, first) && union((schema[first] as JsonSchema[]).map((each) => schemaType(each, indent, use)))
      );
    default:
      return valueType(schema, keywords, indent, use);
  }
}

/** As it is written in an object type. */
export function propertyKey(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}

/** A comment on a line of its own; none without a text. */
export function commentLines(text: unknown): string[] {
  return typeof text === 'string' ? [`/** ${text.replaceAll('*/', '*\\/').replaceAll(/\s+/g, ' ')} */`] : [];
}

function valueType(schema: JsonSchema, keywords: readonly string[], indent: string, use: Use): string {
  const { type, enum: values, const: value } = schema;
  if (value !== undefined) return literal(value);
  if (Array.isArray(values)) return union(values.map(literal));
  if (Array.isArray(type)) return union(type.map((each) => schemaType({ ...schema, type: each }, indent, use)));
  switch (type) {
    case 'object':
      checkKeywords(keywords, ['type', 'properties', 'required', 'additionalProperties']);
      return objectType(schema, indent, use);
    case 'array':
      checkKeywords(keywords, ['type', 'items']);
      return arrayOf(schemaType((schema.items ?? {}) as JsonSchema, indent, use), use);
    case 'string':
    case 'boolean':
    case 'null':
      checkKeywords(keywords, ['type', 'properties', 'items', 'additionalProperties', 'required']);
      return type;
    case 'integer':
    case 'number':
      checkKeywords(keywords, ['type']);
      return 'number';
    default:
      throw new Error(`No type for ${JSON.stringify(schema)}`);
  }
}

function objectType(schema: JsonSchema, indent: string, use: Use): string {
  const { properties = {}, required = [], additionalProperties } = schema;
  const members = Object.entries(properties as Record<string, JsonSchema>).flatMap(([name, property]) => {
    const mustBe = (required as string[]).includes(name);
    const type = schemaType(property, `${indent}  `, use);
    const member = `${propertyKey(name)}${mustBe ? `: ${type}` : `?: ${union([type, 'undefined'])}`};`;
    return [...commentLines(property.description), member].map((line) => `${indent}  ${line}`);
  });
  const others = othersType(additionalProperties, indent, use);
  // Of one that says nothing of its members nobody knows what it has; one that is closed has none.
  if (members.length === 0)
    return `Record<string, ${others ?? (additionalProperties === false ? 'never' : 'unknown')}>`;
  // Its type has to be that of every member as well.
  if (others !== null) members.push(`${indent}  [name: string]: unknown;`);
  return `{\n${members.join('\n')}\n${indent}}`;
}

/** Null where there are none. */
function othersType(additionalProperties: unknown, indent: string, use: Use): string | null {
  if (additionalProperties === undefined || additionalProperties === false) return null;
  return additionalProperties === true ? 'unknown' : schemaType(additionalProperties as JsonSchema, indent, use);
}

function alone(keywords: readonly string[], keyword: string): true {
  checkKeywords(keywords, [keyword]);
  return true;
}

function checkKeywords(keywords: readonly string[], known: readonly string[]): void {
  const others = keywords.filter((keyword) => !known.includes(keyword));
  if (others.length > 0) throw new Error(`No type is made of ${others.join(', ')} beside ${known[0]}.`);
}

function literal(value: unknown): string {
  return typeof value === 'string' ? `'${value.replaceAll(/['\\]/g, '\\$&')}'` : JSON.stringify(value);
}

function union(types: readonly string[]): string {
  const different = [...new Set(types)];
  return different.includes('unknown') ? 'unknown' : different.join(' | ');
}

function arrayOf(type: string, use: Use): string {
  const list = /^[\w.]+$/.test(type) ? `${type}[]` : `(${type})[]`;
  return use === 'given' ? `readonly ${list}` : list;
}
