import { expect, test } from 'vitest';
import { schemaType } from './schema-type.ts';

test.each([
  [{}, 'unknown'],
  [{ $ref: '#/components/schemas/Event' }, 'Event'],
  [{ const: "it's" }, "'it\\'s'"],
  [{ type: 'string', enum: ['a', 'b'] }, "'a' | 'b'"],
  [{ type: ['string', 'null'], maxLength: 5 }, 'string | null'],
  [{ anyOf: [{ type: 'integer' }, { type: 'number' }, { type: 'null' }] }, 'number | null'],
  [{ type: 'array', items: { oneOf: [{ type: 'string' }, { type: 'boolean' }] } }, '(string | boolean)[]'],
  [{ type: 'array' }, 'unknown[]'],
  [{ type: 'object' }, 'Record<string, unknown>'],
  [{ type: 'object', properties: {}, additionalProperties: false }, 'Record<string, never>'],
  [{ type: 'object', additionalProperties: { type: 'string' } }, 'Record<string, string>'],
  [
    { type: 'object', properties: { 'a-b': { type: 'string', description: 'Two\nlines */' } }, required: ['a-b'] },
    '{\n  /** Two lines *\\/ */\n  "a-b": string;\n}',
  ],
  [
    { type: 'object', properties: { a: {}, b: { type: 'null' } }, additionalProperties: {} },
    '{\n  a?: unknown;\n  b?: null | undefined;\n  [name: string]: unknown;\n}',
  ],
])('%j', (schema, type) => {
  expect(schemaType(schema, '')).toBe(type);
});

test('what is given may be a list that may not be changed, wherever it is in it', () => {
  const list = { type: 'array', items: { anyOf: [{ type: 'array', items: { type: 'string' } }, { type: 'null' }] } };
  const schema = { anyOf: [list, { type: 'object', additionalProperties: list }] };
  const type = 'readonly (readonly string[] | null)[]';
  expect(schemaType(schema, '', 'given')).toBe(`${type} | Record<string, ${type}>`);
});

test.each([
  { allOf: [{ type: 'string' }] },
  { type: 'object', patternProperties: { a: { type: 'string' } } },
  { anyOf: [{ type: 'string' }], properties: {} },
  { type: 'file' },
])('%j has no type: one that is too wide would not be noticed', (schema) => {
  expect(() => schemaType(schema, '')).toThrow(/^No type/);
});
