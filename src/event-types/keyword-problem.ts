import { nearestName } from '../routing/nearest-name.ts';
import { formats } from './formats.ts';
import { isObject, subschemaPlaces } from './json-schema.ts';
import { LinearPattern } from './linear-pattern.ts';
import { PatternProblem } from './pattern-tree.ts';

type Check = (value: unknown) => string | null;

const TYPES = ['null', 'boolean', 'integer', 'number', 'string', 'array', 'object'];
const MAX_VALUES = 500;
const MAX_NAMES = 500;

const anything: Check = () => null;
const text: Check = (value) => (typeof value === 'string' ? null : 'expected text');
const flag: Check = (value) => (typeof value === 'boolean' ? null : 'expected true or false');
const number: Check = (value) => (Number.isFinite(value) ? null : 'expected a number');
const count: Check = (value) =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? null : 'expected a whole number from 0';
const names: Check = (value) => {
  const isGood = Array.isArray(value) && value.every((name) => typeof name === 'string');
  if (!isGood || new Set(value).size !== value.length) return 'expected an array of different names';
  // ajv does not notice that a name is missing when the name is empty.
  if (value.includes('')) return 'expected no empty name: it cannot be required';
  return value.length <= MAX_NAMES ? null : `expected at most ${MAX_NAMES} names`;
};

/** A number that is past the doubles would be stored as `null`. */
function constant(value: unknown): string | null {
  return isHeld(value) ? null : 'expected no number that is past what a double holds';
}

function isHeld(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  return typeof value !== 'object' || value === null || Object.values(value).every(isHeld);
}

/** Keywords without schemas inside, and what is good for them. */
const checks: Readonly<Record<string, Check>> = {
  ...{ title: text, description: text, $comment: text, default: anything, examples: anything },
  ...{ deprecated: flag, readOnly: flag, writeOnly: flag },
  type: (value) => {
    const types = Array.isArray(value) ? value : [value];
    const isGood =
      types.length > 0 && new Set(types).size === types.length && types.every((one) => TYPES.includes(one));
    return isGood ? null : `expected one or several of ${TYPES.join(', ')}`;
  },
  enum: (value) =>
    Array.isArray(value) && value.length > 0 && value.length <= MAX_VALUES
      ? constant(value)
      : `expected an array of 1 to ${MAX_VALUES} values`,
  const: constant,
  multipleOf: (value) => (Number.isFinite(value) && (value as number) > 0 ? null : 'expected a number above 0'),
  ...{ minimum: number, maximum: number, exclusiveMinimum: number, exclusiveMaximum: number },
  ...{ minLength: count, maxLength: count, minItems: count, maxItems: count },
  ...{ minProperties: count, maxProperties: count, minContains: count, maxContains: count },
  uniqueItems: flag,
  required: names,
  dependentRequired: (value) => {
    if (!isObject(value) || Object.hasOwn(value, '__proto__')) return 'expected an object of arrays of names';
    return (
      Object.values(value)
        .map(names)
        .find((problem) => problem !== null) ?? null
    );
  },
  pattern: (value) => {
    if (typeof value !== 'string') return 'expected a regular expression as text';
    return patternProblem(value);
  },
  format: (value) =>
    typeof value === 'string' && Object.hasOwn(formats, value)
      ? null
      : `expected one of ${Object.keys(formats).join(', ')}: each is checked, others are not known`,
};

/** What is left out on purpose, and what to do instead. */
const refused: Readonly<Record<string, string>> = {
  unevaluatedProperties: 'is not supported: name all properties in one schema and use additionalProperties',
  unevaluatedItems: 'is not supported: use items',
  $dynamicRef: 'is not supported: use $ref into $defs',
  $dynamicAnchor: 'is not supported: use $defs',
  $anchor: 'is not supported: use $defs',
  $id: 'is not supported: a version of an event type needs no other name',
  dependentSchemas: 'is not supported: use if and then, or dependentRequired',
  definitions: 'is a word of older drafts: use $defs',
  dependencies: 'is a word of older drafts: use dependentRequired',
  $recursiveRef: 'is a word of older drafts: use $ref into $defs',
};

const KNOWN = [...Object.keys(checks), ...subschemaPlaces.keys()];
/** Longer names are like no keyword. */
const MAX_LIKE = Math.max(...KNOWN.map((name) => name.length)) + 10;

/** Why a keyword is refused, or its value; null when both are good. */
export function keywordProblem(keyword: string, value: unknown): string | null {
  if (Object.hasOwn(checks, keyword)) return checks[keyword]!(value);
  if (Object.hasOwn(refused, keyword)) return refused[keyword]!;
  if (keyword.length > MAX_LIKE) return 'unknown keyword';
  return `unknown keyword; did you mean ${nearestName(keyword, KNOWN)}?`;
}

function patternProblem(pattern: string): string | null {
  try {
    new LinearPattern(pattern);
    return null;
  } catch (error) {
    if (error instanceof PatternProblem) return error.message;
    throw error;
  }
}
