import { expect, test } from 'vitest';
import type { JsonSchema } from './json-schema.ts';
import { loadOf, loadProblem, MAX_LOAD } from './schema-load.ts';

const values = (count: number) => Array.from({ length: count }, (_, i) => i);
const names = (count: number, first = 'n') => values(count).map((i) => `${first}${i}`);
const described = (count: number) => Object.fromEntries(names(count).map((name) => [name, true]));
const three: JsonSchema = { allOf: [true, true] };

test.each<[number, JsonSchema]>([
  [1, true],
  [1, { type: 'string', title: 'x' }],
  [3, { enum: values(17) }],
  [2, { enum: values(16) }],
  [2, { pattern: '^a{29}$' }],
  [3, { pattern: '^a{30}$' }],
  [3, { uniqueItems: true }],
  [1, { uniqueItems: false }],
  [1, { required: names(31) }],
  [2, { required: names(32) }],
  [2, { properties: described(10), required: names(10), dependentRequired: { a: names(11) } }],
  [2, { dependentRequired: { a: names(15), b: names(15) } }],
  [1, { dependentRequired: { a: names(15), b: names(14) } }],
  [4, { allOf: [three] }],
  [4, { anyOf: [three] }],
  [4, { oneOf: [three] }],
  [4, { not: three }],
  [4, { if: three }],
  [5, { if: true, ...Object.fromEntries([['then', three]]) }],
  [5, { if: true, else: three }],
  [4, { $ref: '#/$defs/x', $defs: { x: three } }],
])('there is a load of %i on one value: %j', (load, schema) => {
  expect(loadOf(schema)).toBe(load);
});

test.each<[string, number, JsonSchema]>([
  ['one property is one of them', 3, { properties: { a: three, b: three } }],
  ['patterns are tried, and may match too', 9, { properties: { a: three }, patternProperties: { a: three, b: true } }],
  ['as may what is said of others', 7, { properties: { a: three }, additionalProperties: three, propertyNames: true }],
  ['and of names', 7, { properties: { a: three }, additionalProperties: true, propertyNames: three }],
  ['an item is the first, the second or a later one', 3, { prefixItems: [true, three], items: true }],
  ['of these a later one may be the greatest', 3, { prefixItems: [true, true], items: three }],
  ['it may be wanted as well', 6, { items: three, contains: three }],
  ['it is in an object or in an array', 3, { properties: { a: three }, items: three }],
  ['each level of an event is a place of its own', 3, { ...three, items: { ...three, items: three } }],
])('of what is inside a value %s', (_, load, schema) => {
  expect(loadOf(schema)).toBe(load);
});

test('as much load is taken as may be, and no more', () => {
  const loaded = (load: number) => ({ items: { anyOf: values(load - 1).map(() => true) } });
  expect(loadProblem(loaded(MAX_LOAD))).toBe(null);
  expect(loadProblem(loaded(MAX_LOAD + 1))).toEqual({ path: '', message: expect.stringContaining('65 schemas') });
});

test('48 schemas inside each other are taken, behind references too', () => {
  const nested = (depth: number, innermost: JsonSchema): JsonSchema =>
    depth === 0 ? innermost : { items: nested(depth - 1, innermost) };
  const whole = (depth: number) => ({
    ...(nested(20, { $ref: '#/$defs/x' }) as object),
    $defs: { x: nested(depth - 21, true) },
  });
  expect(loadProblem(whole(48))).toBe(null);
  expect(loadProblem(whole(49))).toMatchObject({ message: expect.stringContaining('at most 48 schemas') });
});
