import { FUEL } from './check-budget.ts';
import { arrayProblems } from './compare-arrays.ts';
import { objectProblems } from './compare-objects.ts';
import { type Comparison, fault, type Problem } from './compare-schemas.ts';
import { enumProblems, numberProblems, textProblems, typeProblems } from './compare-values.ts';
import { compileCost } from './compile-cost.ts';
import { compileSchema, type Validator } from './compile-schema.ts';
import { isObject, type JsonSchema, placeStep, resolveRef, type SchemaObject } from './json-schema.ts';
import { type Fuel, LinearPattern, OutOfFuel } from './linear-pattern.ts';
import { PathSet } from './path-set.ts';
import { assertsNothing, SchemaEquality } from './schema-equality.ts';
import { loadOf } from './schema-load.ts';

/** What two schemas that are compared are part of, and what the comparison may still cost. */
interface Frame {
  readonly olderRoot: JsonSchema;
  readonly newerRoot: JsonSchema;
  readonly isOpen: boolean;
  readonly budget: { steps: number };
  /** Of what was compiled to try values: the steps that it took of the budget, and what it really cost. */
  readonly trials: { steps: number; cost: number };
  readonly equality: SchemaEquality;
  /** Schemas that stand for a `$ref` and its siblings, with the target as the last part of their `allOf`. */
  readonly unfolded: WeakSet<SchemaObject>;
  /** Whether a name matches a pattern. All calls together have the fuel of one validation. */
  readonly matches: (pattern: string, name: string) => boolean;
}

const MAX_STEPS = 20_000;
/** What a step costs, in units of checks (measured). */
const STEP_COST = 1_000;
const COMPILE_STEPS = 1_000;
/** How many characters of a schema are compiled in one step: 64 Ki take a third of a second. */
const COMPILED_A_STEP = 8;
/** How many characters of values, times the schemas that are tried on each, are checked in one step, likewise. */
const TRIED_A_STEP = 400;
const VALUES_A_STEP = 25;
/** How many characters of a problem's path are written in one step. */
const PATH_A_STEP = 100;
const IN_PLACE = ['allOf', 'anyOf', 'oneOf', 'if', '$ref'];

/**
 * Finds where a newer schema may refuse a value that an older one accepts. It looks at one keyword after the other. What it finds good is
 * good; what cannot be shown to be good in this way is a problem as well. There is one exception: if the older schema says nothing of other
 * properties (no `additionalProperties`), the newer one may describe some, as long as it requires none of them. This does not hold for what
 * may be anything (`true`, or items that are not described).
 */
export function compatibilityProblems(older: JsonSchema, newer: JsonSchema): readonly Problem[] {
  return compatibility(older, newer).problems;
}

/** The same, with what it cost to find out. */
export function compatibility(
  older: JsonSchema,
  newer: JsonSchema,
): { readonly problems: readonly Problem[]; readonly cost: number } {
  const fuel = { left: FUEL };
  const frame: Frame = {
    olderRoot: older,
    newerRoot: newer,
    isOpen: true,
    budget: { steps: MAX_STEPS },
    trials: { steps: 0, cost: 0 },
    equality: new SchemaEquality(),
    unfolded: new WeakSet(),
    matches: patternMatcher(fuel),
  };
  const problems = problemsWithin(frame) ?? [TOO_INTRICATE];
  const { budget, trials } = frame;
  const steps = Math.min(MAX_STEPS, MAX_STEPS - budget.steps - trials.steps);
  return { problems, cost: steps * STEP_COST + trials.cost + FUEL - Math.max(0, fuel.left) };
}

const TOO_INTRICATE = fault(
  '',
  'is too intricate to be compared with the version before: register a new major version',
);

/** Null when it would cost too much to find out. */
function problemsWithin(frame: Frame): readonly Problem[] | null {
  try {
    const problems = compare(frame.olderRoot, frame.newerRoot, frame);
    return frame.budget.steps > 0 ? problems : null;
  } catch (error) {
    if (error instanceof OutOfFuel) return null;
    throw error;
  }
}

function patternMatcher(fuel: Fuel): Frame['matches'] {
  const compiledPatterns = new Map<string, LinearPattern>();
  return (source, name) => {
    const pattern = compiledPatterns.get(source) ?? new LinearPattern(source, fuel);
    compiledPatterns.set(source, pattern);
    return pattern.test(name);
  };
}

function compare(older: JsonSchema, newer: JsonSchema, frame: Frame): readonly Problem[] {
  if (--frame.budget.steps <= 0) return [fault('', 'cannot be compared')];
  if (newer === true || older === false || (isObject(newer) && assertsNothing(newer))) return [];
  if (frame.equality.areSame(older, frame.olderRoot, newer, frame.newerRoot)) return [];
  if (newer === false) return [fault('', 'forbids what was accepted')];
  const before = isObject(older) ? older : {};
  if (typeof newer.$ref === 'string') return compare(older, unfold(newer, frame.newerRoot, frame), frame);
  if (typeof before.$ref === 'string') return compare(unfold(before, frame.olderRoot, frame), newer, frame);
  const values = valuesOf(before);
  if (values !== null) return valueProblems(values, newer, frame);
  // `true` is not silent about properties: it allows all of them.
  const said = older === true ? { ...frame, isOpen: false } : frame;
  const problems = compareKeywords(before, newer, said);
  charge(problems, frame);
  return withParts(before, newer, said, problems);
}

/**
 * Takes steps for problems. A definition has its problems at every place that refers to it, and each of them is written anew for each
 * schema around it.
 */
function charge(problems: readonly Problem[], { budget }: Frame): void {
  for (const { path } of problems) budget.steps -= 1 + Math.floor(path.length / PATH_A_STEP);
}

function compareKeywords(older: SchemaObject, newer: SchemaObject, frame: Frame): readonly Problem[] {
  const isOpen = frame.isOpen && IN_PLACE.every((keyword) => older[keyword] === undefined);
  const inner: Comparison['inner'] = (a, b, place, isWhole = true) =>
    under(place, compare(a, b, { ...frame, isOpen: isOpen && isWhole }));
  const isWithin: Comparison['isWithin'] = (b, a) => compare(b, a, reversed(frame)).length === 0;
  const comparison = { older, newer, isOpen, inner, isWithin, matches: frame.matches };
  return [
    ...typeProblems(comparison),
    ...enumProblems(comparison),
    ...numberProblems(comparison),
    ...textProblems(comparison),
    ...objectProblems(comparison),
    ...arrayProblems(comparison),
    ...combinationProblems(older, newer, frame),
  ];
}

/**
 * If the older schema does not show by itself that values are accepted, a part of its `allOf` may, or all alternatives of its `anyOf` or
 * `oneOf` together.
 */
function withParts(
  older: SchemaObject,
  newer: SchemaObject,
  frame: Frame,
  problems: readonly Problem[],
): readonly Problem[] {
  const strict = { ...frame, isOpen: false };
  let left = problems;
  for (const part of (older.allOf ?? []) as JsonSchema[]) {
    if (left.length === 0) return left;
    left = inBoth(left, compare(part, newer, strict), strict);
  }
  for (const union of [older.anyOf, older.oneOf] as (readonly JsonSchema[] | undefined)[]) {
    if (left.length === 0 || union === undefined) continue;
    left = inBoth(
      left,
      union.flatMap((each) => compare(each, newer, strict)),
      strict,
    );
  }
  return left;
}

/** The problems that both comparisons have, by path: what one of them shows to be good is none. */
function inBoth(a: readonly Problem[], b: readonly Problem[], { budget }: Frame): readonly Problem[] {
  // If the comparison is too intricate it has one problem in the end, whatever these are.
  if (budget.steps <= 0) return a;
  const paths = new PathSet(b.map(({ path }) => path));
  return a.filter(({ path }) => paths.touches(path));
}

function combinationProblems(older: SchemaObject, newer: SchemaObject, frame: Frame): readonly Problem[] {
  const { allOf = [], anyOf, oneOf, not } = newer as Record<string, readonly JsonSchema[] | undefined>;
  const target = frame.unfolded.has(newer) ? allOf.length - 1 : -1;
  const problems = allOf.flatMap((part, i) =>
    under(`allOf.${i}`, compare(older, part, frame), i === target ? '' : undefined),
  );
  const closed = { ...frame, isOpen: false };
  if (anyOf !== undefined && !anyOf.some((each) => compare(older, each, closed).length === 0)) {
    problems.push(fault('anyOf', 'has no alternative that accepts all of what was accepted'));
  }
  if (oneOf !== undefined && !areSamePicks(older, newer, ['oneOf'], frame)) {
    problems.push(fault('oneOf', 'cannot be compared unless it is as it was; anyOf may grow'));
  }
  if (not !== undefined && !forbidsLess(older.not as JsonSchema | undefined, newer.not as JsonSchema, closed)) {
    problems.push(fault('not', 'forbids what was accepted'));
  }
  const conditions = ['if', 'then', 'else'];
  if (newer.if !== undefined && !areSamePicks(older, newer, conditions, frame)) {
    problems.push(fault('if', 'cannot be compared unless if, then and else are as they were'));
  }
  return problems;
}

function forbidsLess(older: JsonSchema | undefined, newer: JsonSchema, frame: Frame): boolean {
  if (older === undefined) return newer === false;
  return compare(newer, older, reversed(frame)).length === 0;
}

/** The frame for the question whether the older schema accepts what the newer one does. */
function reversed(frame: Frame): Frame {
  return { ...frame, olderRoot: frame.newerRoot, newerRoot: frame.olderRoot, isOpen: false };
}

function areSamePicks(older: SchemaObject, newer: SchemaObject, names: readonly string[], frame: Frame): boolean {
  const pick = (schema: SchemaObject) =>
    Object.fromEntries(names.flatMap((name) => (schema[name] === undefined ? [] : [[name, schema[name]]])));
  return frame.equality.areSame(pick(older), frame.olderRoot, pick(newer), frame.newerRoot);
}

function valuesOf(schema: SchemaObject): readonly unknown[] | null {
  if (Object.hasOwn(schema, 'const')) return [schema.const];
  return (schema.enum as unknown[] | undefined) ?? null;
}

/** If the older schema names all values, each of them is tried. */
function valueProblems(values: readonly unknown[], newer: SchemaObject, frame: Frame): readonly Problem[] {
  frame.budget.steps -= Math.floor(values.length / VALUES_A_STEP);
  const accepts = acceptorOf(newer, values, frame);
  const refused = values.filter((value) => !accepts(value));
  if (refused.length === 0) return [];
  const place = valuesOf(newer) === null ? '' : Object.hasOwn(newer, 'const') ? 'const' : 'enum';
  return [fault(place, `no longer accepts ${JSON.stringify(refused[0])?.slice(0, 100)}`)];
}

function acceptorOf(schema: SchemaObject, values: readonly unknown[], frame: Frame): (value: unknown) => boolean {
  const { enum: allowed } = schema as { enum?: readonly unknown[] };
  let validate: Validator | null | undefined;
  return (value) => {
    if (Object.hasOwn(schema, 'const') && !frame.equality.areSameValues(schema.const, value)) return false;
    if (allowed !== undefined && !frame.equality.isOneOf(value, allowed)) return false;
    const isNamed = Object.keys(schema).every(
      (keyword) => keyword === 'enum' || keyword === 'const' || isTypeOf(keyword, schema, value),
    );
    if (isNamed) return true;
    // Only once, also when it turns out to cost too much.
    if (validate === undefined) validate = compiled(schema, values, frame);
    return validate !== null && validate(value).kind === 'valid';
  };
}

/** Null when it would cost too much. */
function compiled(schema: SchemaObject, values: readonly unknown[], frame: Frame): Validator | null {
  const { budget, trials, newerRoot } = frame;
  const hasReferences = JSON.stringify(schema).includes('"$ref"');
  const $defs = hasReferences && isObject(newerRoot) ? (newerRoot.$defs ?? {}) : {};
  const whole = { ...schema, $defs };
  const { length } = JSON.stringify(whole);
  const tried = (JSON.stringify(values).length * loadOf(whole)) / TRIED_A_STEP;
  const steps = Math.max(COMPILE_STEPS, Math.ceil(length / COMPILED_A_STEP + tried));
  budget.steps -= steps;
  trials.steps += steps;
  if (budget.steps <= 0) return null;
  // The values of `enum` and `const` in the schema are gone over too.
  trials.cost += compileCost(whole) + length + Math.ceil(tried * STEP_COST);
  return compileSchema(whole, '');
}

function isTypeOf(keyword: string, { type }: SchemaObject, value: unknown): boolean {
  return keyword === 'type' && typeof value === 'string' && [type].flat().includes('string');
}

/** A schema in which the reference is replaced by what it names, beside its siblings. */
function unfold({ $ref: ref, ...siblings }: SchemaObject, root: JsonSchema, { unfolded }: Frame): JsonSchema {
  const target = resolveRef(root, ref);
  if (assertsNothing(siblings)) return target;
  const whole = { ...siblings, allOf: [...((siblings.allOf ?? []) as JsonSchema[]), target] };
  unfolded.add(whole);
  return whole;
}

/** @param step the way to the place among the values; empty: the schema there is of the same values */
function under(place: string, problems: readonly Problem[], step = placeStep(place)): Problem[] {
  return problems.map((problem) => ({
    ...problem,
    path: joined(place, problem.path),
    place: joined(step, problem.place),
  }));
}

function joined(outer: string, inner: string): string {
  return outer === '' || inner === '' ? outer + inner : `${outer}.${inner}`;
}
