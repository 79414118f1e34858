import { boundProblem, type Comparison, fault, type Problem, takes } from './compare-schemas.ts';
import type { JsonSchema, SchemaObject } from './json-schema.ts';

export function arrayProblems(comparison: Comparison): Problem[] {
  const { older, newer } = comparison;
  if (!takes(older, 'array')) return [];
  const isUniqueNow = newer.uniqueItems === true && older.uniqueItems !== true;
  return [
    ...itemProblems(comparison),
    ...boundProblem(comparison, 'minItems', 'min'),
    ...boundProblem(comparison, 'maxItems', 'max'),
    ...(isUniqueNow ? [fault('uniqueItems', 'refuses arrays that were accepted')] : []),
    ...containsProblems(comparison),
  ];
}

function itemProblems({ older, newer, inner }: Comparison): Problem[] {
  const most = (older.maxItems as number | undefined) ?? Number.POSITIVE_INFINITY;
  const prefix = Math.max(prefixOf(older).length, prefixOf(newer).length);
  const places = Array.from({ length: Math.min(prefix, most) }, (_, i) => i);
  const ofPrefix = places.flatMap((i) => {
    const place = i < prefixOf(newer).length ? `prefixItems.${i}` : 'items';
    return [...inner(itemAt(older, i), itemAt(newer, i), place)];
  });
  const ofRest = most > prefix ? inner(itemAt(older, prefix), itemAt(newer, prefix), 'items') : [];
  return [...ofPrefix, ...ofRest];
}

interface Counted {
  readonly contains?: JsonSchema;
  readonly minContains?: number;
  readonly maxContains?: number;
}

/** Each bound is compared by itself, because another part of the older schema may show one of them and not the other. */
function containsProblems({ older, newer, inner, isWithin }: Comparison): Problem[] {
  const { contains: before, minContains: leastBefore = 1, maxContains: mostBefore = Infinity } = older as Counted;
  const { contains, minContains = 1, maxContains = Infinity } = newer as Counted;
  if (contains === undefined) return [];
  const isKept =
    minContains === 0 ||
    (before !== undefined && leastBefore >= minContains && inner(before, contains, 'contains').length === 0);
  // Fewer items may count now than before, but not more.
  const isBounded =
    maxContains === Infinity || (before !== undefined && mostBefore <= maxContains && isWithin(contains, before));
  return [
    ...(isKept ? [] : [fault('contains', 'refuses arrays that were accepted')]),
    ...(isBounded ? [] : [fault('maxContains', 'refuses arrays that were accepted')]),
  ];
}

function prefixOf({ prefixItems = [] }: SchemaObject): readonly JsonSchema[] {
  return prefixItems as JsonSchema[];
}

function itemAt(schema: SchemaObject, index: number): JsonSchema {
  return prefixOf(schema)[index] ?? ((schema.items ?? true) as JsonSchema);
}
