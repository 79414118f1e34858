import { expect, test, vi } from 'vitest';
import type { Fault } from '../domain/errors.ts';
import { FUEL } from './check-budget.ts';
import { compileSchema } from './compile-schema.ts';
import type { JsonSchema, SchemaObject } from './json-schema.ts';
import { LinearPattern } from './linear-pattern.ts';
import { readSchema } from './read-schema.ts';

const $defs = { text: { type: 'string' } };
const text = { $ref: '#/$defs/text' };
const names = Array.from({ length: 400 }, (_, i) => `name${i}`);

const condition = (then: JsonSchema) =>
  Object.fromEntries([
    ['if', { minProperties: 1 }],
    ['then', then],
  ]);

function faultsOf(schema: JsonSchema, value: unknown) {
  const found = compileSchema(schema, 'data')(value);
  return found.kind === 'invalid' ? found.faults : found.kind;
}

test('all faults of an event are told, up to twenty, behind references too', () => {
  const schema = { $defs: { ...$defs, list: { items: text } }, properties: { a: { $ref: '#/$defs/list' }, b: text } };
  const fault = (path: string) => ({ path, message: 'must be string' });
  expect(faultsOf(schema, { a: ['x', 1, 2], b: 3 })).toEqual(['data.a.1', 'data.a.2', 'data.b'].map(fault));
  expect(faultsOf(schema, { a: Array(1_000).fill(1), b: 3 })).toHaveLength(20);
});

test('a reference to a definition that is true or false says what that says', () => {
  const schema = { $defs: { any: true, none: false }, properties: { a: { $ref: '#/$defs/any' } } };
  expect(readSchema(schema).ok).toBe(true);
  expect(faultsOf(schema, { a: 1, b: 2 })).toBe('valid');
  const strict = { ...schema, additionalProperties: { $ref: '#/$defs/none' } };
  expect(faultsOf(strict, { a: 1 })).toBe('valid');
  expect(faultsOf(strict, { a: 1, b: 2, c: 3 })).toMatchObject([{ path: 'data.b' }, { path: 'data.c' }]);
});

test('objects with names of methods are compared as others are', () => {
  const odd = { valueOf: 1, toString: { constructor: [] }, constructor: { a: 1 } };
  const copy = (value: unknown) => JSON.parse(JSON.stringify(value));
  expect(faultsOf({ const: odd }, copy(odd))).toBe('valid');
  expect(faultsOf({ enum: [{}, { a: {} }, odd] }, copy(odd))).toBe('valid');
  expect(faultsOf({ enum: [{}, [], { constructor: {} }] }, { constructor: { a: 1 } })).toMatchObject([
    { path: 'data' },
  ]);
  expect(faultsOf({ const: {} }, JSON.parse('{"__proto__": 1}'))).toEqual([{ path: 'data', message: 'must be {}' }]);
  expect(faultsOf({ enum: [[1, { a: 2 }]] }, [1, { a: 2 }])).toBe('valid');
  for (const other of [[1, { a: 3 }], [1], [1, { b: 2 }], { 0: 1, 1: { a: 2 } }, [1, [2]], null, 1]) {
    expect(faultsOf({ enum: [[1, { a: 2 }]] }, other)).toEqual([
      { path: 'data', message: 'must be one of [[1,{"a":2}]]' },
    ]);
  }
});

test.each<SchemaObject>([
  { contains: { type: 'number' } },
  { prefixItems: [true, { type: 'string' }, { type: 'string' }], uniqueItems: true },
])('an array that ends before its first items do is checked by all else: %j', (rest) => {
  const schema = { prefixItems: [{ type: 'string' }, { type: 'string' }], ...rest };
  const bad = 'uniqueItems' in rest ? ['a', 'a'] : [];
  expect(faultsOf(schema, bad)).toHaveLength(1);
  expect(faultsOf({ not: schema }, bad)).toBe('valid');
  expect(faultsOf({ if: schema, else: false }, bad)).not.toBe('valid');
  expect(faultsOf({ properties: { a: schema } }, { a: bad, b: Array(50_000).fill(1) })).toHaveLength(1);
  expect(faultsOf({ not: { not: schema } }, ['a', 1])).not.toBe('valid');
});

test('properties are checked by what a condition says of all and by patterns', () => {
  const schema = {
    ...condition({ additionalProperties: { minimum: 1 } }),
    patternProperties: { '^a': { maximum: 5 } },
  };
  expect(readSchema(schema).ok).toBe(true);
  expect(faultsOf(schema, { a: 3, b: 8 })).toBe('valid');
  expect(faultsOf(schema, { a: 6, b: 8 })).toMatchObject([{ path: 'data.a' }]);
  expect(faultsOf(schema, { a: 3, b: 0 })).toMatchObject([{ path: 'data.b' }, { path: 'data' }]);
});

test('numbers past the doubles are the same item neither as null nor as each other', () => {
  expect(faultsOf({ uniqueItems: true }, JSON.parse('[1e400, -1e400, null]'))).toBe('valid');
  expect(faultsOf({ uniqueItems: true }, JSON.parse('[1e400, 1e400]'))).toHaveLength(1);
});

test('of an event with many values the first fault is told and no other is looked for', () => {
  const schema = { $defs, items: text };
  expect(faultsOf(schema, ['x', ...Array(50_000).fill(1)])).toEqual([{ path: 'data.1', message: 'must be string' }]);
  expect(faultsOf(schema, Array(50_000).fill('x'))).toBe('valid');
});

test.each<JsonSchema>([
  { $defs, items: text },
  { $defs, contains: text },
  { $defs, not: { contains: text } },
  { $defs, anyOf: [{ contains: text }, { items: text }] },
  { $defs: { ...$defs, inner: { contains: text } }, allOf: [{ $ref: '#/$defs/inner' }] },
])('what was found before is not copied for each value that a reference does not fit: %j', (schema) => {
  for (const values of [1_000, 20_000]) {
    const [validate, value] = [compileSchema(schema, 'data'), Array(values).fill(1)];
    validate(value);
    const concat = vi.spyOn(Array.prototype, 'concat');
    validate(value);
    const copies = concat.mock.calls.length;
    concat.mockRestore();
    expect(copies).toBe(0);
  }
});

test('names that are looked for in each object count as work, however small the object is', () => {
  const lists: JsonSchema[] = [
    { required: names },
    { properties: Object.fromEntries(names.map((name) => [name, true])) },
    { dependentRequired: { a: names } },
  ];
  for (const items of lists) {
    const validate = compileSchema({ items }, 'data');
    expect(validate(Array(100).fill({ a: 1 })).kind).not.toBe('too_large');
    expect(validate(Array(40_000).fill({})).kind).toBe('too_large');
  }
});

test('a schema that looks for more names in one object than may be looked for is refused', () => {
  const allOf = Array.from({ length: 6 }, () => ({ required: names }));
  expect(readSchema({ allOf })).toMatchObject({ ok: false });
  // One that was registered before they were counted goes on being checked.
  expect(compileSchema({ allOf }, 'data')({}).kind).toBe('invalid');
  expect(readSchema({ allOf: allOf.slice(2) })).toMatchObject({ ok: true });
});

const different = (length: number) => Array.from({ length }, (_, i) => String.fromCodePoint(0x10000 + i)).join('');

/** Texts that take a pattern such as `(a|b)*a(a|b){40}` to a state of its own with each character. */
function winding(length: number): string {
  let seed = 1;
  return Array.from({ length }, () => {
    seed = (seed * 16_807) % 2_147_483_647;
    return seed % 1_000 < 500 ? 'a' : 'b';
  }).join('');
}

test('patterns that would look at millions of steps for one text do not, all patterns of a schema together', () => {
  const patterns = Array.from({ length: 10 }, (_, i) => ({ pattern: `^(a|b)*a(a|b){${20 + i}}c$` }));
  expect(readSchema({ allOf: patterns })).toMatchObject({ ok: true });
  expect(faultsOf({ allOf: patterns }, winding(2_000))).toBe('too_costly');
  expect(faultsOf({ allOf: patterns }, 'b'.repeat(60_000))).not.toBe('too_costly');
  expect(faultsOf({ pattern: '^[^<>]*$' }, different(10_000).repeat(5))).toBe('valid');
});

test('what patterns remember of an unusual text is forgotten after the event by those that remember most, of ordinary ones it is kept', () => {
  const forget = vi.spyOn(LinearPattern.prototype, 'forget');
  const properties = { a: { pattern: '^[^<>]*$' }, b: { pattern: '^(a|b)*a(a|b){40}$' } };
  const validate = compileSchema({ properties }, 'data');
  for (let i = 0; i < 20; i++) expect(validate({ a: different(500 + i), b: 'aab' }).kind).toBe('invalid');
  expect(forget).not.toHaveBeenCalled();
  validate({ a: different(2_500), b: winding(400) });
  expect(forget.mock.contexts).toEqual([expect.objectContaining({ source: properties.b.pattern })]);
  forget.mockRestore();
});

test('a thousand events of one request fit whose fields are of the usual patterns, whatever they say: what one costs is less than they may together', () => {
  const alphabet = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,'-"];
  const fields = Array.from({ length: 5 }, (_, i) => i);
  const properties = (pattern: (i: number) => string) =>
    Object.fromEntries(fields.map((i) => [`f${i}`, { pattern: pattern(i) }]));
  const textOf = (seed: number) =>
    Array.from({ length: 150 }, (_, at) => alphabet[(seed * 7919 + at * at * 31 + at * seed) % alphabet.length]).join(
      '',
    );
  for (const pattern of [() => "^[A-Za-z0-9 .,'-]{1,200}$", (i: number) => `^[A-Za-z0-9 .,'-]{1,${190 + i}}$`]) {
    const validate = compileSchema({ properties: properties(pattern) }, 'data');
    const shared = { left: 20 * FUEL };
    for (let event = 0; event < 1_000; event++) {
      const data = Object.fromEntries(fields.map((i) => [`f${i}`, textOf(event * 5 + i)]));
      expect(validate(data, shared).kind).toBe('valid');
    }
    expect(20 * FUEL - shared.left).toBeLessThan(2_000_000);
  }
});

test('events that share what they may cost are refused when it is spent, and others are not', () => {
  const validate = compileSchema({ pattern: '^b[^a]*$' }, 'data');
  const text = `b${'c'.repeat(999)}`;
  validate(text);
  const shared = { left: 2_500 };
  expect([1, 2, 3, 4].map(() => validate(text, shared).kind)).toEqual(['valid', 'valid', 'too_costly', 'too_costly']);
  expect(shared.left).toBe(0);
  expect(validate(text).kind).toBe('valid');
});

test.each([
  [{ maxLength: 3 }, ['', 'abc', '😀😀😀', '\ud83d\ud83d\ud83d'], ['abcd', '😀😀😀😀', 'abcdefgh', '\ude00'.repeat(4)]],
  [{ minLength: 3 }, ['abc', '😀😀😀', 'a'.repeat(9)], ['', 'ab', '😀😀', 'a😀']],
  [{ maxLength: 0 }, ['', 5], ['a', '😀']],
  [{ minLength: 0 }, ['', 'a'], []],
])('lengths are of characters: %j', (schema, good, bad) => {
  for (const text of good) expect(faultsOf(schema, text)).toBe('valid');
  const message =
    'maxLength' in schema
      ? `must NOT have more than ${schema.maxLength} characters`
      : `must NOT have fewer than ${schema.minLength} characters`;
  for (const text of bad) expect(faultsOf(schema, text)).toEqual([{ path: 'data', message }]);
});

test('the length of a text is told before its pattern, as ever', () => {
  const found = faultsOf({ pattern: '^b', maxLength: 1, minLength: 9, format: 'date' }, 'aa') as readonly Fault[];
  expect(found.map(({ message }) => message)).toEqual([
    'must NOT have more than 1 characters',
    'must NOT have fewer than 9 characters',
    'must match pattern "^b"',
    'must match format "date"',
  ]);
});

test('characters that are counted for lengths count as work; those of most texts need not be counted', () => {
  const text = 'x'.repeat(240_000);
  const alternatives = (maxLength: number) => ({
    anyOf: Array.from({ length: 60 }, (_, i) => ({ maxLength: maxLength - i })),
  });
  expect(faultsOf(alternatives(239_999), text)).toBe('too_costly');
  expect(faultsOf(alternatives(250_000), text)).toBe('valid');
  expect(faultsOf({ allOf: alternatives(250_000).anyOf, maxLength: 300_000 }, text)).toBe('valid');
  expect(faultsOf(alternatives(10_000), text)).not.toBe('too_costly');
});
