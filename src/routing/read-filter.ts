import type { Fault } from '../domain/errors.ts';
import type { Clause, Condition } from './condition.ts';
import { ExactNumber } from './exact-number.ts';
import { filterBounds } from './filter-bounds.ts';
import { OPERATORS, RESERVED_NAMES } from './operators.ts';
import { readCondition } from './read-condition.ts';

export type FilterReading =
  | { readonly ok: true; readonly clauses: readonly Clause[] }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** Fields by their path: a path that is given again replaces what it said before, as in event-ruler. */
type Fields = Map<string, readonly Condition[]>;

interface Progress {
  readonly faults: Fault[];
  wildcards: number;
  /** The bounds that are exceeded already. What is left is only read for its faults, and no longer multiplied out. */
  readonly exceeded: Set<'clauses' | 'fields'>;
}

/** How many faults are told at most: more would help nobody. */
const MAX_FAULTS = 20;

/**
 * Reads an event pattern: what `JSON.parse` or `parseExactly` made of it. `$or` is multiplied out, so that what comes back is a list of
 * clauses of which one must hold.
 */
export function readFilter(value: unknown): FilterReading {
  const progress: Progress = { faults: [], wildcards: 0, exceeded: new Set() };
  const clauses = isTooLarge(value, progress) ? [] : readObject(value, [], [new Map()], progress);
  if (progress.faults.length === 0) checkTotals(clauses, progress);
  if (progress.faults.length > 0) return { ok: false, faults: progress.faults.slice(0, MAX_FAULTS) };
  return { ok: true, clauses: clauses.map((fields) => [...fields].map(([path, anyOf]) => ({ path, anyOf }))) };
}

function isTooLarge(value: unknown, progress: Progress): boolean {
  if (depthOf(value, 0) > filterBounds.nesting)
    return fail(progress, [], `expected at most ${filterBounds.nesting} levels of JSON`);
  if (JSON.stringify(value ?? null).length <= filterBounds.characters) return false;
  return fail(progress, [], `expected at most ${filterBounds.characters} characters of JSON`);
}

function depthOf(value: unknown, above: number): number {
  if (typeof value !== 'object' || value === null || above > filterBounds.nesting) return above;
  let depth = above;
  // Not all as arguments of one `Math.max`: a body may hold more values than the stack.
  for (const inner of Object.values(value)) depth = Math.max(depth, depthOf(inner, above + 1));
  return depth;
}

/**
 * @param clauses the clauses so far. They are changed, and no longer the caller's
 * @returns the clauses with what the object adds; several of each when it has `$or`
 */
function readObject(value: unknown, at: readonly string[], clauses: Fields[], progress: Progress): Fields[] {
  if (!isObject(value)) {
    fail(progress, at, 'expected an object of field names, such as {"data": {"state": ["open"]}}');
    return [];
  }
  const names = Object.keys(value);
  if (names.length === 0) fail(progress, at, 'expected at least one field');
  let result = clauses;
  for (const name of names) {
    if (progress.faults.length >= MAX_FAULTS) break;
    const inner = [...at, name];
    if (name === '$or') result = readOr(value[name], inner, result, progress);
    else if (Array.isArray(value[name])) result = readField(value[name], inner, result, progress);
    else if (isObject(value[name])) result = readObject(value[name], inner, result, progress);
    else fail(progress, inner, arrayWanted(name, value[name], at));
  }
  return result;
}

function arrayWanted(name: string, value: unknown, at: readonly string[]): string {
  const field = at.at(-1);
  const isOperator = OPERATORS.includes(name) && field !== undefined;
  const example = isOperator ? `"${field}": [{"${name}": ${JSON.stringify(value)}}]` : `"${name}": ["x"]`;
  return `expected an array of values, such as ${example.slice(0, 120)}, or an object of field names`;
}

function readField(values: readonly unknown[], at: readonly string[], clauses: Fields[], progress: Progress): Fields[] {
  if (values.length === 0) fail(progress, at, 'expected at least one value');
  const anyOf: Condition[] = [];
  for (const [i, value] of values.entries()) {
    const reading = readCondition(value, [...at, String(i)]);
    if (reading.ok) anyOf.push(reading.condition);
    else progress.faults.push(...reading.faults);
    if (progress.faults.length >= MAX_FAULTS) return [];
  }
  progress.wildcards += anyOf.reduce((sum, condition) => sum + wildcardsOf(condition), 0);
  const path = fieldPath(at);
  if (path.split('.').length > filterBounds.depth)
    fail(progress, at, `expected at most ${filterBounds.depth} levels of fields`);
  for (const fields of clauses) fields.set(path, anyOf);
  if (clauses.every(({ size }) => size <= filterBounds.fields)) return clauses;
  progress.exceeded.add('fields');
  return [];
}

/** `$or` and the places in its list are no part of a field's path. */
function fieldPath(at: readonly string[]): string {
  return at.filter((name, i) => name !== '$or' && at[i - 1] !== '$or').join('.');
}

function readOr(value: unknown, at: readonly string[], clauses: Fields[], progress: Progress): Fields[] {
  if (!Array.isArray(value) || value.length < 2) {
    fail(progress, at, 'expected an array of at least two objects, of which one must match');
    return [];
  }
  if (value.length * clauses.length > filterBounds.clauses) {
    fail(progress, at, `expected $or to multiply to at most ${filterBounds.clauses} alternatives`);
    return [];
  }
  let base = clauses;
  let result: Fields[] = [];
  for (const [i, alternative] of value.entries()) {
    const copies = base.map((fields) => new Map(fields));
    result = result.concat(readAlternative(alternative, [...at, String(i)], copies, progress));
    if (result.length > filterBounds.clauses) progress.exceeded.add('clauses');
    if (progress.exceeded.size > 0) {
      result = [];
      base = [];
    }
  }
  return result;
}

function readAlternative(value: unknown, at: readonly string[], clauses: Fields[], progress: Progress): Fields[] {
  const reserved = isObject(value) ? RESERVED_NAMES.find((name) => Object.hasOwn(value, name)) : undefined;
  if (reserved === undefined) return readObject(value, at, clauses, progress);
  fail(
    progress,
    [...at, reserved],
    `expected a field name: "${reserved}" is an operator, and goes inside a field's array`,
  );
  return [];
}

function checkTotals(clauses: readonly Fields[], progress: Progress): void {
  const { clauses: most, fields, values, wildcards } = filterBounds;
  const { exceeded } = progress;
  if (exceeded.has('clauses')) fail(progress, [], `expected $or to multiply to at most ${most} alternatives`);
  if (exceeded.has('fields')) fail(progress, [], `expected at most ${fields} fields`);
  if (progress.wildcards > wildcards) fail(progress, [], `expected at most ${wildcards} wildcards`);
  const total = clauses.reduce(
    (sum, clause) => sum + [...clause.values()].reduce((n, anyOf) => n + valuesOf(anyOf), 0),
    0,
  );
  if (total > values)
    fail(progress, [], `expected at most ${values} values, counted again for each alternative of $or`);
}

function valuesOf(conditions: readonly Condition[]): number {
  return conditions.reduce((sum, condition) => sum + (condition.kind === 'except' ? condition.of.length : 1), 0);
}

function wildcardsOf(condition: Condition): number {
  if (condition.kind === 'except') return condition.of.reduce((sum, excluded) => sum + wildcardsOf(excluded), 0);
  return condition.kind === 'wildcard' ? 1 : 0;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber);
}

function fail({ faults }: Progress, at: readonly string[], message: string): true {
  faults.push({ path: at.join('.'), message });
  return true;
}
