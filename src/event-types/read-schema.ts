import type { Fault } from '../domain/errors.ts';
import { isObject, type JsonSchema, refName, subschemaPlaces, subschemasAt } from './json-schema.ts';
import { keywordProblem } from './keyword-problem.ts';
import { loadProblem } from './schema-load.ts';

/** Longest schema, in characters of JSON. */
export const MAX_SCHEMA_LENGTH = 64 * 1024;
const MAX_DEPTH = 24;
const MAX_FAULTS = 50;
const DIALECTS = new Set([
  'https://json-schema.org/draft/2020-12/schema',
  'https://json-schema.org/draft/2020-12/schema#',
]);

export type SchemaReading =
  | { readonly ok: true; readonly schema: JsonSchema }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/**
 * Checks a schema that a tenant brings: JSON Schema 2020-12, of a vocabulary that can be bounded and compared. It is safe to compile and
 * to run afterwards: no reference leads out of it or back to itself, every pattern is matched in linear time, and the work for an event
 * is in proportion to the event.
 * @returns paths as in the schema, dotted
 */
export function readSchema(value: unknown): SchemaReading {
  if (JSON.stringify(value).length > MAX_SCHEMA_LENGTH) {
    return refusal([{ path: '', message: `expected at most ${MAX_SCHEMA_LENGTH} characters of JSON` }]);
  }
  const faults: Fault[] = [];
  for (const fault of schemaFaults(value, value, '', 0)) {
    faults.push(fault);
    // Further faults would not be shown, so they are not looked for.
    if (faults.length >= MAX_FAULTS) break;
  }
  if (faults.length > 0) return refusal(faults);
  const schema = value as JsonSchema;
  const problem = loadProblem(schema);
  return problem === null ? { ok: true, schema } : refusal([problem]);
}

function refusal(faults: readonly Fault[]): SchemaReading {
  return { ok: false, faults };
}

function* schemaFaults(value: unknown, root: unknown, path: string, depth: number): Generator<Fault> {
  if (typeof value === 'boolean') return;
  if (!isObject(value)) {
    yield { path, message: 'expected a schema: an object or a boolean' };
  } else if (depth > MAX_DEPTH) {
    yield { path, message: `expected at most ${MAX_DEPTH} schemas inside each other` };
  } else {
    for (const [keyword, inner] of Object.entries(value)) yield* keywordFaults(keyword, inner, root, path, depth);
  }
}

function* keywordFaults(keyword: string, value: unknown, root: unknown, path: string, depth: number): Generator<Fault> {
  const problem =
    rootProblem(keyword, value, depth) ?? refProblem(keyword, value, root) ?? shapeProblem(keyword, value);
  if (problem !== null) {
    yield { path: join(path, keyword), message: problem };
    return;
  }
  for (const inner of subschemasAt(keyword, value)) {
    yield* schemaFaults(inner.schema, root, join(path, inner.path), depth + 1);
  }
}

function rootProblem(keyword: string, value: unknown, depth: number): string | null {
  if (keyword === '$schema') {
    return depth === 0 && DIALECTS.has(String(value)) ? null : 'expected the dialect 2020-12, at the top';
  }
  return keyword === '$defs' && depth > 0 ? 'expected at the top of the schema' : null;
}

function refProblem(keyword: string, value: unknown, root: unknown): string | null {
  if (keyword !== '$ref') return null;
  const name = refName(value);
  if (name === null) return 'expected a reference into this schema, such as #/$defs/money: nothing else is loaded';
  const defs = isObject(root) && isObject(root.$defs) ? root.$defs : {};
  return Object.hasOwn(defs, name) ? null : `no such definition: $defs has no ${JSON.stringify(name)}`;
}

function shapeProblem(keyword: string, value: unknown): string | null {
  switch (subschemaPlaces.get(keyword)) {
    case 'one':
      return null;
    case 'list':
      return Array.isArray(value) && value.length > 0 ? null : 'expected an array of schemas, at least one';
    case 'named':
      if (!isObject(value)) return 'expected an object of schemas';
      if (Object.hasOwn(value, '__proto__')) return 'must not have the name __proto__';
      return keyword === 'patternProperties' ? firstProblem(Object.keys(value)) : null;
    case undefined:
      return keyword === '$schema' || keyword === '$ref' ? null : keywordProblem(keyword, value);
  }
}

function firstProblem(patterns: readonly string[]): string | null {
  for (const pattern of patterns) {
    const problem = keywordProblem('pattern', pattern);
    if (problem !== null) return `${JSON.stringify(pattern)}: ${problem}`;
  }
  return null;
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}
