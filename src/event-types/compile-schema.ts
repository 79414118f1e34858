import {
  _,
  Ajv2020,
  type ErrorObject,
  type KeywordErrorDefinition,
  str,
  type ValidateFunction,
} from 'ajv/dist/2020.js';
import type { Fault } from '../domain/errors.ts';
import { canonicalText } from './canonical-text.ts';
import { FUEL } from './check-budget.ts';
import { compileCost } from './compile-cost.ts';
import { formats } from './formats.ts';
import { heldBytes } from './held-bytes.ts';
import { multiplesOf } from './is-multiple.ts';
import { isObject, type JsonSchema } from './json-schema.ts';
import { burn, type Fuel, LinearPattern, OutOfFuel } from './linear-pattern.ts';
import { prefixItemsKeyword } from './prefix-items-keyword.ts';
import { refKeyword } from './ref-keyword.ts';
import { isOneOf } from './same-values.ts';
import { loadOf } from './schema-load.ts';

/**
 * What comes of checking a value. `too_large`: it cannot be checked at all. `too_costly`: the check would take longer than was left.
 * `unready`: the check can be made once `prepare` was called.
 */
export type Validation =
  | { readonly kind: 'valid' }
  | { readonly kind: 'invalid'; readonly faults: readonly Fault[] }
  | { readonly kind: 'too_large' | 'too_costly' | 'unready' };

export interface Validator {
  /** @param fuel what all values that it is given for may cost together; absent: as much as one value may cost, and no answer is `unready` */
  (value: unknown, fuel?: Fuel): Validation;
  /** Compiles the schema once more, into what checks large values. */
  readonly prepare: () => { readonly made: undefined; readonly cost: number };
  /** About how many bytes of memory it takes. */
  readonly held: number;
}

/** How much work a check may be: the values of the event, times the schemas that are tried on each. */
const MAX_WORK = 300_000;
/** What one of these costs, without patterns, formats and comparisons (measured). */
const WORK_COST = 2;
/** What it costs to check whether a text is of a format (measured). */
const FORMAT_COST = 16;
const FORMAT_CHARACTERS_A_UNIT = 8;
/** For a longer text that is decided at once, or nearly. */
const MAX_FORMAT_LENGTH = 8_192;
/**
 * How much all patterns of a schema together may remember from one event to the next: so much, and more for each of their steps, because a
 * counted repetition has as many states.
 */
const MIN_KEPT = 4_000;
const KEPT_A_STEP = 20;
/** But no more than this; each takes some ten bytes. */
const MAX_KEPT = 40_000;
const MAX_FAULTS = 20;
const TOO_COSTLY: Validation = { kind: 'too_costly' };
/** Up to this much work all faults are looked for. Each costs time and memory, and a value may have one for every schema and name. */
const MAX_THOROUGH_WORK = 5_000;

/**
 * Compiles a schema that `readSchema` has found good. ajv makes JavaScript of it, in which nothing of the schema stands unless ajv has
 * quoted it. Each schema has an ajv of its own, so that this is gone when the validator is.
 * @param place what the paths of faults begin with
 */
export function compileSchema(schema: JsonSchema, place: string): Validator {
  const fuel: Fuel = { left: FUEL };
  const patterns = new Map<string, LinearPattern>();
  const patternOf = (source: string) => {
    const pattern = patterns.get(source) ?? new LinearPattern(source, fuel);
    patterns.set(source, pattern);
    return pattern;
  };
  const compile = (allErrors: boolean) => ajvWith(patternOf, fuel, allErrors).compile(withoutDialect(schema));
  const thorough = compile(true);
  // For large values; made only when one comes, because few types have such.
  let brief: ValidateFunction | null = null;
  const load = loadOf(schema);
  const prepare = () => {
    if (brief !== null) return { made: undefined, cost: 0 };
    brief = compile(false);
    return { made: undefined, cost: compileCost(schema) };
  };
  const validate = (value: unknown, fuelOfAll?: Fuel): Validation => {
    const shared = fuelOfAll ?? { left: FUEL };
    const count = countValues(value, MAX_WORK / load);
    const work = count * load;
    if (work > MAX_WORK) {
      shared.left -= Math.min(shared.left, count * WORK_COST);
      return { kind: 'too_large' };
    }
    const isThorough = work <= MAX_THOROUGH_WORK;
    if (!isThorough && brief === null) {
      if (fuelOfAll !== undefined) return { kind: 'unready' };
      prepare();
    }
    const given = Math.min(FUEL, shared.left);
    fuel.left = given - work * WORK_COST;
    // Decided before the schema is run.
    const found = fuel.left < 0 ? TOO_COSTLY : run(isThorough ? thorough : brief!, value, place);
    shared.left -= given - Math.max(fuel.left, 0);
    trim(patterns);
    return found;
  };
  return Object.assign(validate, { prepare, held: heldBytes(schema, patterns.values()) });
}

/** Has patterns forget what is too much, the one that remembers most first: the others need not find everything out again because of it. */
function trim(patterns: ReadonlyMap<string, LinearPattern>): void {
  let [kept, size] = [0, 0];
  for (const pattern of patterns.values()) {
    kept += pattern.kept;
    size += pattern.size;
  }
  const most = Math.min(MAX_KEPT, MIN_KEPT + KEPT_A_STEP * size);
  if (kept <= most) return;
  for (const pattern of [...patterns.values()].sort((a, b) => b.kept - a.kept)) {
    if (kept <= most) return;
    kept -= pattern.kept;
    pattern.forget();
  }
}

function run(validate: ValidateFunction, value: unknown, place: string): Validation {
  try {
    if (validate(value)) return { kind: 'valid' };
  } catch (error) {
    if (error instanceof OutOfFuel) return TOO_COSTLY;
    throw error;
  }
  const faults = (validate.errors ?? []).slice(0, MAX_FAULTS).map((error) => faultOf(error, place));
  validate.errors = null;
  return { kind: 'invalid', faults };
}

function ajvWith(patternOf: (source: string) => LinearPattern, fuel: Fuel, allErrors: boolean): Ajv2020 {
  const regExp = Object.assign((source: string) => patternOf(source), { code: 'linearPattern' });
  const ajv = new Ajv2020({
    allErrors,
    // `readSchema` has checked the schema.
    strict: false,
    meta: false,
    validateSchema: false,
    addUsedSchema: false,
    inlineRefs: false,
    // Otherwise `toString` and `constructor` would be properties of every object.
    ownProperties: true,
    formats: formatsWith(fuel),
    // The passes in which ajv optimises its code take longer than everything else.
    code: { regExp, optimize: false },
  });
  // No keyword that is accepted asks which properties and items were looked at. ajv's account of them fails for a `then` that covers all of
  // them.
  ajv.opts.unevaluated = false;
  ajv.removeKeyword('$ref');
  ajv.addKeyword(refKeyword);
  ajv.removeKeyword('prefixItems');
  ajv.addKeyword(prefixItemsKeyword);
  ajv.removeKeyword('uniqueItems');
  const unique = { keyword: 'uniqueItems', type: 'array', schemaType: 'boolean', errors: false } as const;
  ajv.addKeyword({ ...unique, validate: (isWanted: boolean, items: unknown[]) => !isWanted || areUnique(items, fuel) });
  ajv.removeKeyword('maxLength');
  addLengthKeyword(ajv, 'maxLength', (most, text) => !isLonger(text, most, fuel));
  ajv.removeKeyword('minLength');
  addLengthKeyword(ajv, 'minLength', (least, text) => least === 0 || isLonger(text, least - 1, fuel));
  ajv.removeKeyword('multipleOf');
  const multipleOf = { keyword: 'multipleOf', type: 'number', schemaType: 'number', errors: false } as const;
  const error: KeywordErrorDefinition = { message: ({ schemaCode }) => str`must be multiple of ${schemaCode}` };
  ajv.addKeyword({ ...multipleOf, compile: (step) => multiplesOf(step, fuel), error });
  addValueKeywords(ajv, fuel);
  return ajv;
}

/**
 * Replaces ajv's `const` and `enum`: they compare objects by the objects' own methods, and fail on an event that has a `valueOf` of its
 * own.
 */
function addValueKeywords(ajv: Ajv2020, fuel: Fuel): void {
  const settings = { errors: false, before: 'not' } as const;
  ajv.removeKeyword('const');
  const allowedValue: KeywordErrorDefinition = {
    params: ({ schemaCode }) => _`{allowedValue: ${schemaCode}}`,
    message: 'must be constant',
  };
  ajv.addKeyword({ ...settings, keyword: 'const', compile: (value) => isOneOf([value], fuel), error: allowedValue });
  ajv.removeKeyword('enum');
  const allowedValues: KeywordErrorDefinition = {
    params: ({ schemaCode }) => _`{allowedValues: ${schemaCode}}`,
    message: 'must be allowed',
  };
  ajv.addKeyword({
    ...settings,
    keyword: 'enum',
    schemaType: 'array',
    compile: (values) => isOneOf(values, fuel),
    error: allowedValues,
  });
}

/** Adds a keyword at its place among the others: the first fault may be the only one that is told. */
function addLengthKeyword(
  ajv: Ajv2020,
  keyword: 'maxLength' | 'minLength',
  validate: (bound: number, text: string) => boolean,
): void {
  const bound = keyword === 'maxLength' ? 'more' : 'fewer';
  const error: KeywordErrorDefinition = {
    message: ({ schemaCode }) => str`must NOT have ${bound} than ${schemaCode} characters`,
  };
  ajv.addKeyword({ keyword, type: 'string', schemaType: 'number', before: 'pattern', errors: false, validate, error });
}

/**
 * Whether a text has more characters than this. ajv would count them for each schema. Characters are at most as many as code units, and at
 * least half as many, so that few texts need to be counted.
 */
function isLonger(text: string, most: number, fuel: Fuel): boolean {
  if (text.length <= most) return false;
  if (text.length > 2 * most) return true;
  burn(fuel, text.length);
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    if (++count > most) return true;
    // A pair of surrogates is one character.
    const isHigh = (text.charCodeAt(i) & 0xfc00) === 0xd800;
    if (isHigh && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) i++;
  }
  return false;
}

/** Whether no two items are equal. ajv would compare each with each. */
function areUnique(items: readonly unknown[], fuel: Fuel): boolean {
  return new Set(items.map((item) => canonicalText(item, fuel))).size === items.length;
}

/** The formats, each of which burns fuel: it takes as long as dozens of other keywords, and longer for a long text. */
function formatsWith(fuel: Fuel): Record<string, (text: string) => boolean> {
  const withFuel = (isOf: (text: string) => boolean) => (text: string) => {
    burn(fuel, FORMAT_COST + Math.floor(Math.min(text.length, MAX_FORMAT_LENGTH) / FORMAT_CHARACTERS_A_UNIT));
    return isOf(text);
  };
  return Object.fromEntries(Object.entries(formats).map(([name, isOf]) => [name, withFuel(isOf)]));
}

function withoutDialect(schema: JsonSchema): JsonSchema {
  if (!isObject(schema)) return schema;
  const { $schema: _dialect, ...rest } = schema;
  return rest;
}

/** Counts the values in a value, itself included; stops soon after `limit`. */
function countValues(value: unknown, limit: number): number {
  let count = 0;
  const pending = [value];
  for (let next = pending.pop(); pending.length > 0 || next !== undefined; next = pending.pop()) {
    if (++count > limit) return count;
    if (typeof next !== 'object' || next === null) continue;
    for (const inner of Object.values(next)) pending.push(inner);
  }
  return count;
}

function faultOf({ instancePath, keyword, params, message }: ErrorObject, place: string): Fault {
  const parts = instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const inner = keyword === 'required' ? [String(params.missingProperty)] : namedBy(keyword, params);
  return { path: [place, ...parts, ...inner].join('.'), message: messageOf(keyword, params, message) };
}

function namedBy(keyword: string, params: Record<string, unknown>): string[] {
  return keyword === 'additionalProperties' ? [String(params.additionalProperty)] : [];
}

function messageOf(keyword: string, params: Record<string, unknown>, message: string | undefined): string {
  switch (keyword) {
    case 'required':
      return 'required';
    case 'additionalProperties':
      return 'not allowed by the schema';
    case 'enum':
      return `must be one of ${shorten(JSON.stringify(params.allowedValues))}`;
    case 'const':
      return `must be ${shorten(JSON.stringify(params.allowedValue))}`;
    case 'uniqueItems':
      return 'must not have the same item twice';
    default:
      return message ?? 'is not valid';
  }
}

function shorten(text: string): string {
  return text.length <= 200 ? text : `${text.slice(0, 200)}…`;
}
