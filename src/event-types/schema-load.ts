import type { Fault } from '../domain/errors.ts';
import { isObject, type JsonSchema, resolveRef, type SchemaObject } from './json-schema.ts';
import { LinearPattern } from './linear-pattern.ts';

/** How many schemas there may be, each `$ref` counted as what it stands for. */
const MAX_SCHEMAS = 500;
/** How many schemas may be inside each other, likewise. */
const MAX_DEPTH = 48;
/** How much work there may be at one place of an event, in schemas that are tried there; a long enum or pattern counts as several. */
export const MAX_LOAD = 64;
const VALUES_A_UNIT = 16;
const STEPS_A_UNIT = 32;
const NAMES_A_UNIT = 32;

/** The work at a place of the event, and at the places below it, level by level: the most that a place of that level may take. */
type Load = readonly number[];

class Overload extends Error {
  readonly path: string;

  constructor(path: string, message: string) {
    super(message);
    this.path = path;
  }
}

interface Walk {
  readonly root: JsonSchema;
  schemas: number;
}

/** Why a schema that is otherwise good would cost too much to compile or to run; null when it would not. */
export function loadProblem(schema: JsonSchema): Fault | null {
  try {
    const load = loadOf(schema);
    return load > MAX_LOAD ? overloadedBy(load) : null;
  } catch (error) {
    if (error instanceof Overload) return { path: error.path, message: error.message };
    throw error;
  }
}

function overloadedBy(load: number): Fault {
  const message = `tries up to ${load} schemas on one value; at most ${MAX_LOAD} are taken: use fewer alternatives, or enum`;
  return { path: '', message };
}

/**
 * How many schemas are tried at one place of an event, at most. Together with the number of the event's values this bounds the time of a
 * validation. It may be more than is accepted today, for a schema that was accepted when less was counted.
 * @throws Overload
 */
export function loadOf(schema: JsonSchema): number {
  return Math.max(...measure(schema, { root: schema, schemas: 0 }, '', [], 0));
}

function measure(schema: JsonSchema, walk: Walk, path: string, refs: readonly string[], depth: number): Load {
  if (++walk.schemas > MAX_SCHEMAS) {
    throw new Overload(path, `expected at most ${MAX_SCHEMAS} schemas, each $ref counted as what it stands for`);
  }
  if (depth > MAX_DEPTH) throw new Overload(path, `expected at most ${MAX_DEPTH} schemas inside each other`);
  if (!isObject(schema)) return [1];
  const inner = (name: string, value: unknown) =>
    measure(value as JsonSchema, walk, path === '' ? name : `${path}.${name}`, refs, depth + 1);
  const here = [ownLoad(schema), ...inPlace(schema, inner)];
  const { $ref: ref } = schema;
  if (typeof ref === 'string') {
    const place = path === '' ? '$ref' : `${path}.$ref`;
    if (refs.includes(ref)) throw new Overload(place, 'leads back to itself: recursive references are not supported');
    here.push(measure(resolveRef(walk.root, ref), walk, place, [...refs, ref], depth + 1));
  }
  return sum([...here, below(greatest([objectLoad(schema, inner), arrayLoad(schema, inner)]))]);
}

type Inner = (name: string, value: unknown) => Load;

function ownLoad(schema: SchemaObject): Load {
  const { enum: values, pattern, uniqueItems } = schema;
  const ofValues = Array.isArray(values) ? Math.ceil(values.length / VALUES_A_UNIT) : 0;
  const ofPattern = typeof pattern === 'string' ? patternLoad(pattern) : 0;
  return [1 + ofValues + ofPattern + namesLoad(schema) + (uniqueItems === true ? 2 : 0)];
}

/**
 * The names that are looked for in an object, even in an empty one, each of which may be a fault of its own. A few cost nothing beside the
 * schema itself.
 */
function namesLoad({ properties = {}, required = [], dependentRequired = {} }: SchemaObject): number {
  const dependents = Object.values(dependentRequired as Record<string, readonly string[]>);
  const lists = [Object.keys(properties as SchemaObject), required as readonly string[], ...dependents];
  return Math.floor((lists.reduce((total, list) => total + list.length, 0) + dependents.length) / NAMES_A_UNIT);
}

function patternLoad(pattern: string): number {
  return Math.ceil(new LinearPattern(pattern).size / STEPS_A_UNIT);
}

function inPlace(schema: SchemaObject, inner: Inner): Load[] {
  const lists = ['allOf', 'anyOf', 'oneOf'].flatMap((name) =>
    ((schema[name] ?? []) as unknown[]).map((each, i) => inner(`${name}.${i}`, each)),
  );
  const ones = ['not', 'if', 'then', 'else'].flatMap((name) =>
    schema[name] === undefined ? [] : [inner(name, schema[name])],
  );
  return [...lists, ...ones];
}

/** Of `properties` at most one is tried on a value, because their names differ. */
function objectLoad(schema: SchemaObject, inner: Inner): Load {
  const named = (keyword: string) =>
    Object.entries((schema[keyword] ?? {}) as SchemaObject).map(([name, each]) => inner(`${keyword}.${name}`, each));
  const patterns = Object.keys((schema.patternProperties ?? {}) as SchemaObject).map((each) => [patternLoad(each)]);
  const others = ['additionalProperties', 'propertyNames'].flatMap((name) =>
    schema[name] === undefined ? [] : [inner(name, schema[name])],
  );
  return sum([greatest(named('properties')), ...named('patternProperties'), ...patterns, ...others]);
}

function arrayLoad(schema: SchemaObject, inner: Inner): Load {
  const prefix = ((schema.prefixItems ?? []) as unknown[]).map((each, i) => inner(`prefixItems.${i}`, each));
  const items = schema.items === undefined ? [] : [inner('items', schema.items)];
  const contains = schema.contains === undefined ? [] : [inner('contains', schema.contains)];
  return sum([greatest([...prefix, ...items]), ...contains]);
}

function below(load: Load): Load {
  return [0, ...load];
}

function sum(loads: readonly Load[]): Load {
  return levels(loads, (numbers) => numbers.reduce((total, number) => total + number, 0));
}

function greatest(loads: readonly Load[]): Load {
  return levels(loads, (numbers) => Math.max(0, ...numbers));
}

function levels(loads: readonly Load[], combine: (numbers: readonly number[]) => number): Load {
  const depth = Math.max(0, ...loads.map((load) => load.length));
  return Array.from({ length: depth }, (_, level) => combine(loads.map((load) => load[level] ?? 0)));
}
