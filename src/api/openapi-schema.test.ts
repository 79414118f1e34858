import { expect, test } from 'vitest';
import { z } from 'zod';
import { type Components, jsonSchemaOf } from './openapi-schema.ts';

const inner = z.object({ at: z.iso.datetime(), n: z.int() }).meta({ id: 'Inner' });

test('a schema with an id becomes a component that is referred to, at any depth', () => {
  const components: Components = {};
  const schema = jsonSchemaOf(z.object({ list: z.array(inner) }), 'output', components);
  expect(schema).toEqual({
    type: 'object',
    required: ['list'],
    properties: { list: { type: 'array', items: { $ref: '#/components/schemas/Inner' } } },
  });
  expect(components).toEqual({
    Inner: {
      type: 'object',
      required: ['at', 'n'],
      properties: { at: { type: 'string', format: 'date-time' }, n: { type: 'integer' } },
    },
  });
});

test('an input says that unknown fields are refused', () => {
  expect(jsonSchemaOf(z.strictObject({ a: z.string().optional() }), 'input', {})).toEqual({
    type: 'object',
    properties: { a: { type: 'string' } },
    additionalProperties: false,
  });
});

test('bounds and patterns that were asked for stay', () => {
  const schema = z.object({ minimum: z.int().min(1).max(9), pattern: z.string().regex(/^a$/) });
  expect(jsonSchemaOf(schema, 'input', {})).toMatchObject({
    properties: { minimum: { type: 'integer', minimum: 1, maximum: 9 }, pattern: { pattern: '^a$' } },
  });
});
