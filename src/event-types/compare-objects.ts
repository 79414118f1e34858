import { boundProblem, type Comparison, fault, type Problem, takes } from './compare-schemas.ts';
import type { JsonSchema, SchemaObject } from './json-schema.ts';

export function objectProblems(comparison: Comparison): Problem[] {
  if (!takes(comparison.older, 'object')) return [];
  return [
    ...requiredProblems(comparison),
    ...namedProblems(comparison),
    ...patternProblems(comparison),
    ...otherProblems(comparison),
    ...nameProblems(comparison),
    ...boundProblem(comparison, 'minProperties', 'min'),
    ...boundProblem(comparison, 'maxProperties', 'max'),
  ];
}

function requiredProblems({ older, newer }: Comparison): Problem[] {
  const before = new Set((older.required ?? []) as string[]);
  const added = ((newer.required ?? []) as string[]).filter((name) => !before.has(name));
  const dependent = (newer.dependentRequired ?? {}) as Record<string, string[]>;
  const dependentBefore = (older.dependentRequired ?? {}) as Record<string, string[]>;
  const addedDependent = Object.entries(dependent).flatMap(([name, wanted]) => {
    const known = new Set(Object.hasOwn(dependentBefore, name) ? dependentBefore[name]! : []);
    return wanted
      .filter((each) => !before.has(each) && !known.has(each))
      .map((each) => fault(`dependentRequired.${name}.${each}`, `is required beside ${name} now and was not`, each));
  });
  return [
    ...added.map((name) => fault(`required.${name}`, 'is required now and was not; make it optional', name)),
    ...addedDependent,
  ];
}

/** Problems of properties that one of the two schemas names. If several schemas say something of a property, each of them may refuse it. */
function namedProblems({ older, newer, isOpen, inner, matches }: Comparison): Problem[] {
  const names = new Set([...Object.keys(propertiesOf(older)), ...Object.keys(propertiesOf(newer))]);
  return [...names].flatMap((name) => {
    const before = schemasFor(older, name, matches);
    const isFree = before.length === 0 && isOpen && older.additionalProperties === undefined;
    // The newer schema is free to describe such a property, but not to forbid it.
    const said = schemasFor(newer, name, matches).filter(({ schema }) => !isFree || schema === false);
    return said.flatMap(({ place, schema }) => acceptedBy(before, schema, place, inner));
  });
}

/**
 * Problems of the newer schema's patterns. A pattern that the older schema does not have must accept what that accepts for names that match
 * one of its own patterns, and for names that match none.
 */
function patternProblems({ older, newer, inner }: Comparison): Problem[] {
  const before = patternsOf(older);
  // A name may match several patterns.
  const isWhole = Object.keys(before).length === 1;
  return Object.entries(patternsOf(newer)).flatMap(([pattern, schema]) => {
    const place = `patternProperties.${pattern}`;
    if (Object.hasOwn(before, pattern)) return [...inner(before[pattern]!, schema, place, isWhole)];
    const ofPatterns = Object.values(before).flatMap((each) => inner(each, schema, place, isWhole));
    return [...ofPatterns, ...inner((older.additionalProperties ?? true) as JsonSchema, schema, place)];
  });
}

/**
 * Problems of all other names: the newer schema must accept what the older one accepts for them, and for names of patterns that it does not
 * have any more.
 */
function otherProblems({ older, newer, inner }: Comparison): Problem[] {
  if (newer.additionalProperties === undefined) return [];
  const kept = patternsOf(newer);
  const dropped = Object.entries(patternsOf(older)).filter(([pattern]) => !Object.hasOwn(kept, pattern));
  const place = 'additionalProperties';
  const now = newer.additionalProperties as JsonSchema;
  const ofPatterns = dropped.flatMap(([, schema]) => inner(schema, now, place, dropped.length === 1));
  return [...ofPatterns, ...inner((older.additionalProperties ?? true) as JsonSchema, now, place)];
}

function nameProblems({ older, newer, inner }: Comparison): Problem[] {
  if (newer.propertyNames === undefined) return [];
  const before = (older.propertyNames ?? true) as JsonSchema;
  const names = before === false ? false : { type: 'string', ...(before === true ? {} : before) };
  return [...inner(names, newer.propertyNames as JsonSchema, 'propertyNames')];
}

interface Placed {
  readonly place: string;
  readonly schema: JsonSchema;
}

/** All schemas that a schema has for the property: a value has to satisfy each. None if it says nothing of it. */
function schemasFor(schema: SchemaObject, name: string, matches: Comparison['matches']): readonly Placed[] {
  const properties = propertiesOf(schema);
  const named = Object.hasOwn(properties, name) ? [{ place: `properties.${name}`, schema: properties[name]! }] : [];
  const matching = Object.entries(patternsOf(schema))
    .filter(([pattern]) => matches(pattern, name))
    .map(([pattern, each]) => ({ place: `patternProperties.${pattern}`, schema: each }));
  const found = [...named, ...matching];
  const { additionalProperties: rest } = schema;
  if (found.length > 0 || rest === undefined) return found;
  return [{ place: 'additionalProperties', schema: rest as JsonSchema }];
}

/** Of several older schemas that all hold, one is enough to show that a value is accepted. */
function acceptedBy(
  before: readonly Placed[],
  newer: JsonSchema,
  place: string,
  inner: Comparison['inner'],
): readonly Problem[] {
  const tried =
    before.length === 0
      ? [inner(true, newer, place)]
      : before.map(({ schema }) => inner(schema, newer, place, before.length === 1));
  return tried.find((problems) => problems.length === 0) ?? tried[0]!;
}

function propertiesOf({ properties = {} }: SchemaObject): Readonly<Record<string, JsonSchema>> {
  return properties as Record<string, JsonSchema>;
}

function patternsOf({ patternProperties = {} }: SchemaObject): Readonly<Record<string, JsonSchema>> {
  return patternProperties as Record<string, JsonSchema>;
}
