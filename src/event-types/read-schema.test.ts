import { expect, test } from 'vitest';
import { compileSchema } from './compile-schema.ts';
import type { JsonSchema } from './json-schema.ts';
import { readSchema } from './read-schema.ts';

const good: readonly JsonSchema[] = [
  true,
  {},
  { $schema: 'https://json-schema.org/draft/2020-12/schema', type: ['object', 'null'], title: 'x', default: 1 },
  { $defs: { a: { type: 'string' }, b: { $ref: '#/$defs/a' } }, properties: { x: { $ref: '#/$defs/b' } } },
  { $defs: { 'a/b': {} }, $ref: '#/$defs/a~1b' },
  { $defs: { ' ': {} }, $ref: '#/$defs/%20' },
  { properties: { constructor: { type: 'string' }, $ref: { type: 'string' }, pattern: {} } },
  { enum: Array.from({ length: 500 }, (_, i) => `value ${i}`) },
];

test.each(good)('%j is taken, compiles and runs', (schema) => {
  expect(readSchema(schema)).toEqual({ ok: true, schema });
  expect(() => compileSchema(schema, 'data')({})).not.toThrow();
});

const nested = (depth: number): object => (depth === 0 ? {} : { items: nested(depth - 1) });

test.each([
  [null, ''],
  [[], ''],
  [{ $ref: 'other.json' }, '$ref'],
  [{ $ref: '#/$defs/none' }, '$ref'],
  [{ $ref: '#/$defs/ ', $defs: { ' ': {} } }, '$ref'],
  [{ $ref: '#/$defs/a ', $defs: { 'a ': {} } }, '$ref'],
  [{ $ref: '#/properties/a', properties: { a: {} } }, '$ref'],
  [
    { $defs: { a: { $ref: '#/$defs/b' }, b: { anyOf: [{ $ref: '#/$defs/a' }] } }, $ref: '#/$defs/a' },
    '$ref.$ref.anyOf.0.$ref',
  ],
  [{ $id: 'https://example.com/x' }, '$id'],
  [{ $schema: 'http://json-schema.org/draft-07/schema#' }, '$schema'],
  [{ properties: { a: { $defs: {} } } }, 'properties.a.$defs'],
  [{ $dynamicRef: '#a' }, '$dynamicRef'],
  [{ unevaluatedProperties: false }, 'unevaluatedProperties'],
  [{ type: 'int' }, 'type'],
  [{ enum: [] }, 'enum'],
  [{ enum: Array.from({ length: 501 }, (_, i) => i) }, 'enum'],
  [{ required: ['a', ''] }, 'required'],
  [{ dependentRequired: { a: [''] } }, 'dependentRequired'],
  [JSON.parse('{"enum": [1, 1e400]}'), 'enum'],
  [JSON.parse('{"const": {"a": [-1e400]}}'), 'const'],
  [{ minimum: '1' }, 'minimum'],
  [{ multipleOf: 0 }, 'multipleOf'],
  [{ minLength: -1 }, 'minLength'],
  [{ required: ['a', 'a'] }, 'required'],
  [{ required: 'a' }, 'required'],
  [{ properties: [] }, 'properties'],
  [{ anyOf: [] }, 'anyOf'],
  [{ items: [{}] }, 'items'],
  [{ format: 'regex' }, 'format'],
  [JSON.parse('{"properties":{"__proto__":{}}}'), 'properties'],
  [{ anyOf: Array(70).fill({}) }, ''],
  [{ properties: Object.fromEntries(Array.from({ length: 501 }, (_, i) => [`p${i}`, {}])) }, 'properties.p499'],
  [nested(25), `${'items.'.repeat(24)}items`],
])('%j is refused at %s', (schema, path) => {
  const reading = readSchema(schema);
  expect(reading.ok ? 'taken' : reading.faults[0]?.path).toBe(path);
});

test('of a schema with very many faults the first fifty are looked for, in their order', () => {
  let looks = 0;
  const counted = () =>
    new Proxy({ minimun: 1 } as object, {
      ownKeys: (target) => {
        looks++;
        return Reflect.ownKeys(target);
      },
    });
  const properties = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`p${i}`, counted()]));
  expect(readSchema({ properties })).toEqual({
    ok: false,
    faults: Array.from({ length: 50 }, (_, i) => ({
      path: `properties.p${i}.minimun`,
      message: 'unknown keyword; did you mean minimum?',
    })),
  });
  // All are written out once, to see how long the schema is.
  expect(looks).toBe(1_050);
});

test('no keyword is looked for that is like one much longer than all', () => {
  const path = 'x'.repeat(31);
  expect(readSchema({ [path]: 1 })).toEqual({ ok: false, faults: [{ path, message: 'unknown keyword' }] });
});

test.each([
  [1, 1e21, true],
  [0.5, 1e300, true],
  [0.5, 1e308, true],
  [1e-5, 1e308, true],
  [0.1, 3, true],
  [2, 3, false],
  [1, 1.5, false],
  [1, 0, true],
  [2, -4, true],
  [0.01, 19.99, true],
  [0.01, 1.15, true],
  [0.01, 8.2, true],
  [0.1, -0.3, true],
  [0.01, 1.155, false],
  [1.1, 1122, true],
  [2.5, 7.6, false],
  [0.7, 9007199254740991, false],
  [0.1, 2 ** 53, true],
  [1e-7, 0.1234567, true],
  [1e-7, 0.12345678, false],
  [7e-300, 1e300, false],
  [7e-300, 7e300, true],
  [1e300, 1e-300, false],
  [1e-300, 0, true],
  [5e-324, 1.7976931348623157e308, true],
  [3, 1e22, false],
  [10, 1e23, true],
  [1024, 2 ** 60, true],
  [0.5, 2 ** 60 + 1, true],
  [7, 2 ** 60, false],
  [0.9007199254740992, 1e40, true],
  [0.9007199254740992, 0.9007199254740992, true],
  [0.9007199254740992, 1e9, false],
  [2, Number.POSITIVE_INFINITY, true],
])('of multiples of %d, %d is one: %s', (multipleOf, value, expected) => {
  expect(compileSchema({ multipleOf }, 'data')(value).kind).toBe(expected ? 'valid' : 'invalid');
});

test('an event with more values than may be tried against the schema is not tried', () => {
  const schema = { items: { anyOf: Array.from({ length: 60 }, (_, i) => ({ const: i })) } };
  const validate = compileSchema(schema, 'data');
  expect(validate(Array(100).fill(59)).kind).toBe('valid');
  expect(validate(Array(10_000).fill('x')).kind).toBe('too_large');
});

test('what every object inherits is no property of an event', () => {
  const validate = compileSchema({ required: ['toString'], properties: { constructor: { type: 'string' } } }, 'data');
  expect(validate({})).toEqual({ kind: 'invalid', faults: [{ path: 'data.toString', message: 'required' }] });
  expect(validate(JSON.parse('{"toString":1}')).kind).toBe('valid');
});

test('names and values that look like code are text', () => {
  const trick = '"];globalThis.wasRun = true;//`$\u007bglobalThis.wasRun = true}`\u2028';
  const schema = {
    required: [trick],
    properties: { [trick]: { const: trick }, b: { enum: [trick] } },
    patternProperties: { '`;x': {} },
  };
  expect(readSchema(schema).ok).toBe(true);
  const validate = compileSchema(schema, 'data');
  expect(validate({ [trick]: trick, b: trick }).kind).toBe('valid');
  expect(validate({ [trick]: 'x', b: 'y' }).kind).toBe('invalid');
  expect('wasRun' in globalThis).toBe(false);
});

test.each([
  [
    'date-time',
    ['2024-03-14T10:30:00Z', '2024-02-29t23:59:60.123+05:30'],
    ['2024-02-30T10:30:00Z', '2024-03-14T10:30:00', '2024-03-14'],
  ],
  ['date', ['2024-02-29'], ['2023-02-29', '2024-2-1']],
  ['time', ['10:30:00Z'], ['24:00:00Z', '10:30']],
  ['email', ['a.b+c@example.com'], ['a@', '@b', 'a b@c.d']],
  ['uri', ['https://example.com/a?b#c', 'urn:isbn:123'], ['/relative', 'no scheme', 'http://a b']],
  ['uuid', ['123e4567-e89b-12d3-a456-426614174000'], ['123e4567e89b12d3a456426614174000']],
  ['ipv4', ['10.0.0.1'], ['10.0.0.256', '::1']],
  ['ipv6', ['::1', '2001:db8::1'], ['10.0.0.1', ':::']],
])('format %s is checked', (format, valid, invalid) => {
  const validate = compileSchema({ format }, 'data');
  for (const text of valid) expect([text, validate(text).kind]).toEqual([text, 'valid']);
  for (const text of invalid) expect([text, validate(text).kind]).toEqual([text, 'invalid']);
  expect(validate(1).kind).toBe('valid');
});
